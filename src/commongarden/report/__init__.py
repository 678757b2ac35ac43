import json

import msgspec

from commongarden.stats import summarize


def write(store):
    r = summarize(store)
    (store.root / "results.json").write_text(to_json(r))
    (store.root / "results.csv").write_text("")
    (store.root / "report.html").write_text("<!doctype html>")
    return store.root / "report.html"


def verdict(c):
    return f"{c.arm} {c.outcome} {c.against} {c.difference}"


def to_json(r):
    return json.dumps(msgspec.to_builtins(r), indent=1)


def terminal(r):
    for a in r.arms:
        yield f"{a.arm} {a.test_accuracy} {a.seconds} {a.images_per_second}"
    for c in r.contrasts:
        yield verdict(c)
