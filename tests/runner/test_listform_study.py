"""Files in list form as arms: declared, kept, edited, moved, lost; and through the command line."""

import json
import shutil

import pytest

import commongarden as cg
from commongarden import arch, stats
from commongarden import store as stores
from commongarden import study as studies
from commongarden.errors import ArchError, CommonGardenError, StudyError
from commongarden.study import Arm, Contrast, Study

NET = {
    "macros": {"pair": ["add", ["serial", ["conv", {"ksize": 3, "chn": "#n"}], ["conv", {"ksize": 3, "chn": "#n"}]]]},
    "model": [
        ["conv", {"ksize": 3, "stride": 2, "chn": 6, "actions": "LAB"}],
        ["custom", {"name": "pair", "args": {"#n": 6}}],
        ["avg", {"stride": 4}],
    ],
}
STUDY = """
[study]
name = "mine"
data = "{data}"
seeds = 1

[recipe]
resolution = 16
epochs = 1
batch_size = 8

[split]
train = 0.6
val = 0.2

[arms.mine]
arch = "nets/net.json"
lr = 3e-3

[arms.plain]
arch = "plain_flower"
"""


def edited(ksize=5):
    net = json.loads(json.dumps(NET))
    net["model"][0][1]["ksize"] = ksize
    return json.dumps(net)


@pytest.fixture
def here(tmp_path, monkeypatch, photos):
    """The current folder, with nets/net.json and study.toml."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "net.json").write_text(json.dumps(NET), encoding="utf-8")
    (tmp_path / "study.toml").write_text(STUDY.format(data=photos.as_posix()), encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def grown(tmp_path_factory, commongarden, photos):
    """A finished study one of whose arms is a file, and the folder it was run in. Not to be changed."""
    root = tmp_path_factory.mktemp("grown")
    (root / "nets").mkdir()
    (root / "nets" / "net.json").write_text(json.dumps(NET), encoding="utf-8")
    (root / "study.toml").write_text(STUDY.format(data=photos.as_posix()), encoding="utf-8")
    commongarden("run", "study.toml", "--out", "out", cwd=root, check=0)
    return root


@pytest.fixture
def garden(grown, tmp_path):
    """A copy of it to work in."""
    shutil.copytree(grown, tmp_path / "garden")
    return tmp_path / "garden"


def test_an_arm_keeps_what_its_file_held(here):
    study = studies.read("study.toml")
    arm = study.arms["mine"]
    assert (arm.arch, arm.overrides, arm.options) == ("nets/net.json", {"lr": 3e-3}, {})
    assert json.loads(arm.list_form) == NET
    (here / "nets" / "net.json").unlink()
    assert arch.cost(arm.network(3), (16, 16, 3)).n_params == 6 * 27 + 6 + 2 * (6 * 54 + 6) + 2 * 2 * 6 * 3 + 3
    assert studies.parse(studies.dump(study)) == study
    assert Arm("plain_flower").list_form == ""


def test_an_arm_of_a_script_is_read_once(here):
    arm = cg.Arm("nets/net.json")
    (here / "nets" / "net.json").write_text(edited(), encoding="utf-8")
    assert arm != cg.Arm("nets/net.json")
    assert json.loads(arm.list_form) == NET
    study = Study("s", "photos", {"a": arm, "b": cg.Arm("nets/net.json")})
    differs = stats.differences_of(study, Contrast("a", "b"), 3)
    assert differs[0] == ("model / 1 / ksize", "3", "5")
    with pytest.raises(ArchError, match=r"nets/net\.json: unknown option 'order'"):
        cg.Arm("nets/net.json", {"order": "LA"}).network(3)
    with pytest.raises(StudyError, match="accepted: the name of its file"):
        cg.Arm("plain_flower", list_form=json.dumps(NET))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "nets/net.json",
            "nets/nett.json",
            "study.toml: arms.mine: nets/nett.json: no such file; a relative path starts",
        ),
        ("nets/net.json", "nets/nett.json", "did you mean 'nets/net.json'?"),
        ("nets/net.json", "no/where.json", "arms.mine: no/where.json: no such file"),
        ("nets/net.json", "nets/folder.json", "nets/folder.json: cannot be read: "),
        (
            "nets/net.json",
            "nets/wrong.json",
            "nets/wrong.json: model / 2 / max: unknown key 'strid'; did you mean 'stride'",
        ),
        ("nets/net.json", "nets/latin.json", "nets/latin.json: not UTF-8 text (byte 0)"),
        ("nets/net.json", "nets/large.json", "nets/large.json: larger than 1,000,000 bytes"),
        ("lr = 3e-3", 'order = "LA"', "arms.mine: unknown key 'order'"),
        ("lr = 3e-3", "list_form = 3", "arms.mine.list_form: found 3, accepted: JSON text"),
        ("lr = 3e-3", 'list_form = "{}"', 'arms.mine: list_form: "model" is missing'),
    ],
)
def test_mistakes_are_told_with_arm_and_file(here, old, new, message):
    (here / "nets" / "folder.json").mkdir()
    (here / "nets" / "wrong.json").write_text('{"model": [3, ["max", {"strid": 2}]]}')
    (here / "nets" / "latin.json").write_bytes(b"\xb0\xc1")
    (here / "nets" / "large.json").write_bytes(b" " * 1_000_001)
    text = (here / "study.toml").read_text()
    assert old in text
    (here / "study.toml").write_text(text.replace(old, new))
    with pytest.raises(CommonGardenError) as error:
        studies.read("study.toml")
    assert message in str(error.value).replace("\\", "/")


def test_a_byte_order_mark_is_no_mistake(here):
    (here / "nets" / "net.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(NET).encode())
    assert json.loads(cg.Arm("nets/net.json").list_form) == NET


def test_only_a_change_of_the_network_is_a_change(here):
    stored = studies.read("study.toml")
    (here / "other").mkdir()
    turned = json.dumps(dict(reversed(NET.items())), indent=3)
    (here / "other" / "net.json").write_text(turned, encoding="utf-8")
    text = (here / "study.toml").read_text()
    moved = studies.parse(text.replace("nets/net.json", "other/net.json"))
    assert studies.conflicts(stored, moved) == []
    assert studies.extend(stored, moved).arms["mine"].arch == "other/net.json"

    (here / "nets" / "net.json").write_text(edited(), encoding="utf-8")
    assert studies.conflicts(stored, studies.parse(text)) == [
        "arms.mine, nets/net.json: model / 1 / ksize: 3 in the folder, 5 requested"
    ]
    (here / "other" / "second.json").write_text(json.dumps(NET), encoding="utf-8")
    (here / "nets" / "net.json").write_text(json.dumps(NET | {"model": [1] * 9}), encoding="utf-8")
    lines = studies.conflicts(stored, studies.parse(text))
    assert (len(lines), lines[-1]) == (6, "arms.mine, nets/net.json: and 4 more")
    (here / "nets" / "net.json").write_text(json.dumps(NET), encoding="utf-8")
    renamed = studies.parse(text.replace("nets/net.json", "other/second.json"))
    assert studies.conflicts(stored, renamed) == ["arms.mine.arch: 'net.json' in the folder, 'second.json' requested"]
    native = studies.parse(text.replace("nets/net.json", "plain_flower"))
    assert studies.conflicts(stored, native) == ["arms.mine.arch: 'net.json' in the folder, 'plain_flower' requested"]


def test_a_kept_network_beside_an_edited_file_is_refused(here):
    (here / "effective.toml").write_text(studies.dump(studies.read("study.toml")), encoding="utf-8")
    studies.read("effective.toml")
    (here / "nets" / "net.json").write_text(edited(), encoding="utf-8")
    with pytest.raises(StudyError) as error:
        studies.read("effective.toml")
    assert (
        "effective.toml: arms.mine: nets/net.json has changed: model / 1 / ksize: 3 in list_form, 5 in the file"
        in str(error.value)
    )
    (here / "nets" / "net.json").unlink()
    assert json.loads(studies.read("effective.toml").arms["mine"].list_form) == NET


def test_files_become_arms_by_name(here):
    study = studies.of_architectures("photos", ["nets/net.json", "plain_flower"])
    assert list(study.arms) == ["net", "plain_flower"]
    (here / "nets" / "my net (2).json").write_text(json.dumps(NET), encoding="utf-8")
    assert list(studies.of_architectures("photos", ["nets/my net (2).json"]).arms) == ["my-net-2"]
    shutil.copytree(here / "nets", here / "other")
    with pytest.raises(StudyError, match="found 'net' twice"):
        studies.of_architectures("photos", ["nets/net.json", "other/net.json"])


def test_describe_reads_a_file(commongarden, here):
    text = commongarden("describe", "nets/net.json", "--input", "16x16x3", "--classes", 3, check=0, cwd=here).stdout
    assert "pair / body / conv 3x3 (2)" in text
    assert "903 parameters" in text
    table = json.loads(
        commongarden(
            "describe", "nets/net.json", "--input", "16x16x3", "--classes", 3, "--json", check=0, cwd=here
        ).stdout
    )
    assert (table["arch"], table["n_params"]) == ("nets/net.json", 903)
    assert table["trunk"][-1] == {"layer": "dense", "output": [3]}
    assert table["layers"][0]["path"] == "net / conv 3x3"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["describe", "nets/ent.json"], "did you mean 'nets/net.json'?"),
        (["describe", "nets/net.json", "--order", "LA"], "nets/net.json: unknown option 'order'"),
        (
            ["describe", "nets/net.json", "--input", "1x1x3"],
            "net / conv 3x3: the output would be empty for input 1x1x3",
        ),
        (["run", "--data", "photos", "--arms", "net.json"], "arms.net: net.json: no such file"),
        (
            ["run", "study.toml", "--arms", "mine", "--resolution", "4"],
            "net / avg pool 4x4: the output would be empty for input 2x2x6",
        ),
    ],
)
def test_mistakes_end_with_two_and_one_message(commongarden, here, arguments, message):
    result = commongarden(*arguments, cwd=here, check=2)
    assert message in " ".join(result.stderr.split()).replace("\\", "/")
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_a_file_grows_beside_a_named_architecture(grown):
    store = stores.open_store(grown / "out")
    run = store.run("mine", 0)
    assert (run.status, run.n_params, run.recipe.lr) == ("finished", 903, 3e-3)
    assert arch.read(run.arch) == store.study().arms["mine"].network(3)
    assert cg.load(grown / "out" / "runs" / "mine" / "0").classes == ("daisy", "rose", "tulip")
    assert json.loads(store.study().arms["mine"].list_form) == NET


@pytest.mark.soak
def test_files_by_name_are_trained(commongarden, here, photos):
    commongarden("run", "--data", photos, "--arms", "nets/net.json", "--seeds", 1, "--epochs", 1, "--resolution", 16,
                 "--out", "out", check=0, cwd=here)  # fmt: skip
    assert stores.open_store(here / "out").run("net", 0).status == "finished"


def test_a_study_stands_by_itself(commongarden, garden, tmp_path):
    """Moved elsewhere, with its file lost or edited, it gives the same report."""
    before = commongarden("compare", "out", "--json", check=0, cwd=garden).stdout
    results = (garden / "out" / "results.json").read_bytes()
    (tmp_path / "elsewhere" / "nets").mkdir(parents=True)
    shutil.move(garden / "out", tmp_path / "elsewhere" / "out")
    for contents in (None, edited(), "{"):
        if contents is not None:
            (tmp_path / "elsewhere" / "nets" / "net.json").write_text(contents, encoding="utf-8")
        assert commongarden("compare", "out", "--json", check=0, cwd=tmp_path / "elsewhere").stdout == before
        commongarden("report", "out", check=0, cwd=tmp_path / "elsewhere")
        assert (tmp_path / "elsewhere" / "out" / "results.json").read_bytes() == results


def test_going_on_with_an_edited_file_is_refused(commongarden, garden):
    kept = (garden / "out" / "study.toml").read_bytes()
    (garden / "nets" / "net.json").write_text(edited(), encoding="utf-8")
    refused = commongarden("run", "study.toml", "--out", "out", "--seeds", 2, cwd=garden, check=2)
    assert "arms.mine, nets/net.json: model / 1 / ksize: 3 in the folder, 5 requested" in refused.stderr
    assert "--out" in refused.stderr
    refused = commongarden("run", "out/study.toml", "--out", "out", "--seeds", 2, cwd=garden, check=2)
    assert "arms.mine: nets/net.json has changed: model / 1 / ksize" in refused.stderr
    assert (garden / "out" / "study.toml").read_bytes() == kept


@pytest.mark.soak
def test_going_on_without_the_file(commongarden, garden):
    """The folder's own study file is enough for more seeds, and gives the same network."""
    shutil.rmtree(garden / "nets")
    refused = commongarden("run", "study.toml", "--out", "out", "--seeds", 2, cwd=garden, check=2)
    assert "arms.mine: nets/net.json: no such file" in refused.stderr
    commongarden("run", "out/study.toml", "--out", "out", "--seeds", 2, cwd=garden, check=0)
    store = stores.open_store(garden / "out")
    assert store.run("mine", 1).hashes.arch == store.run("mine", 0).hashes.arch
