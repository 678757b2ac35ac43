"""Times the five arms of the flower experiment in turn and writes the splits of all ten pairs into docs/reasons.md.

    python scripts/reasons.py [--repeats 10] [--rounds 20] [--keep STEPS.json]

writes the table between "<!-- pairs -->" and "<!-- /pairs -->" and the answer about LA and LAB between
"<!-- batch-norm -->" and "<!-- /batch-norm -->". For a quiet machine. Ends with exit code 1 where a split leaves
more than 5 % of the slower arm's step.
"""

from __future__ import annotations

import argparse
import itertools
import re
import sys
from pathlib import Path

from commongarden import study as studies
from commongarden.explain import noise, roofline, time_sentences
from commongarden.explain import time as times
from commongarden.profiling.processes import Candidate, time_arms
from commongarden.records import timings
from commongarden.records.timings import Timing

PAGE = Path(__file__).parent.parent / "docs" / "reasons.md"
ARMS = ("LA", "LAB", "plain", "residual", "bottleneck")
MOST = 0.05  # of the slower arm's step


def measure(repeats: int, rounds: int) -> Timing:
    """The five arms at the study's batch and resolutions."""
    study = studies.read("flowers")
    candidates = {}
    for name in ARMS:
        recipe = study.recipe_of(name)
        candidates[name] = Candidate(study.arms[name], recipe, (recipe.resolution, recipe.resolution, 3))
    return time_arms(candidates, 5, repeats=repeats, rounds=rounds)


def pairs(timing: Timing) -> tuple[str, float]:
    """The table of all pairs as Markdown, and the largest share of a step that a split leaves."""
    lines = [
        "| pair | ratio (95 %) | difference, ms per step | sum of parts | unattributed | of slower step "
        "| first reason |",
        "|---|---|---|---|---|---|---|",
    ]
    worst = 0.0
    for one, two in itertools.combinations(ARMS, 2):
        split = times.split(timing, one, two)
        worst = max(worst, split.rest_share)
        reason = time_sentences.part_name(split.reasons[0]) if split.reasons else "none"
        lines.append(
            f"| {one} → {two} | {split.ratio.value:.3f} ({split.ratio.low:.3f} to {split.ratio.high:.3f}) "
            f"| {split.difference.value:+.2f} ({split.difference.low:+.2f} to {split.difference.high:+.2f}) "
            f"| {split.difference.value - split.rest:+.2f} | {split.rest:+.2f} | {100 * split.rest_share:.1f} % "
            f"| {reason} |"
        )
    conditions = [f"{timing.processor}, {timing.made[:10]}.", *noise.told(timing)]
    conditions.append(time_sentences.limits(roofline.roofs(timing), timing.limits.matmul_side))
    said = f"At most {100 * worst:.1f} % of the slower step is unattributed."
    return "\n".join([*lines, "", said, "", " ".join(conditions)]), worst


def batch_norm(timing: Timing) -> str:
    """What makes LAB slower than LA, in sentences."""
    split = times.split(timing, "LA", "LAB")
    sentences = [
        time_sentences.sentence(split),
        *(time_sentences.part_sentence(split, part) for part in split.reasons[1:]),
    ]
    return " ".join([*sentences, time_sentences.by_kind(split), time_sentences.rest_sentence(split)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--measured", type=Path)
    given = parser.parse_args()
    timing = timings.read(given.measured) if given.measured else measure(given.repeats, given.rounds)
    if given.keep is not None:
        given.keep.write_bytes(timings.write(timing))
    table, worst = pairs(timing)
    text = PAGE.read_text(encoding="utf-8")
    for mark, content in (("pairs", table), ("batch-norm", batch_norm(timing))):
        marks = re.compile(rf"(<!-- {mark} -->\n).*?(\n<!-- /{mark} -->)", re.DOTALL)
        if not marks.search(text):
            sys.exit(f"{PAGE}: no <!-- {mark} --> in it")
        text = marks.sub(lambda found, content=content: f"{found[1]}{content}{found[2]}", text)  # type: ignore[misc]
    PAGE.write_text(text, encoding="utf-8")
    if worst > MOST:
        sys.exit(f"a split leaves {100 * worst:.1f} % of a step; accepted: {100 * MOST:.0f} %")


if __name__ == "__main__":
    main()
