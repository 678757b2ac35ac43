"""Columns of CSV files as people name them: parts, groups, names of classes; through `data check`."""

import pytest
from click.testing import CliRunner

from commongarden.cli import main
from files import images

WORDS = ("train", "val", "test")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("columns")
    for i in range(12):
        (folder / f"{i}.png").write_bytes(images.encoded(images.picture(i), "PNG"))
    return folder


def check(root, header, cells, separator=",", encoding="utf-8", above="", code=0):
    """What `data check` prints of a table with a photo in each row. cells: of the row i, without its path."""
    rows = [separator.join((f"{i}.png", *cells(i))) for i in range(12)]
    (root / "photos.csv").write_bytes("\n".join((above + header.replace(",", separator), *rows)).encode(encoding))
    result = CliRunner().invoke(main, ["data", "check", str(root / "photos.csv"), "--cache-dir", str(root / "cache")])
    assert result.exit_code == code, result.output
    return result.output


def label(i):
    return "ab"[i % 2]


@pytest.mark.parametrize("name", ["subset", "set", "dataset", "partition"])
@pytest.mark.parametrize("path", ["path", "filename"])
def test_a_split_under_another_name_is_read(root, path, name):
    said = check(root, f"{path},label,{name}", lambda i: (label(i), WORDS[i // 2 % 3]))
    assert f"split in column {name}" in said
    assert "(train 2, val 2, test 2)" in said


def test_a_split_with_other_words(root):
    said = check(root, "path,label,Usage", lambda i: (label(i), ("Training", "PublicTest", "PrivateTest")[i // 2 % 3]))
    assert "note: column Usage: privatetest is read as test" in said
    assert "(train 2, val 2, test 2)" in said
    said = check(root, "path,label,subset", lambda i: (label(i), ("train", "val", "odd")[i // 2 % 3]), code=2)
    assert "line 6: unknown split 'odd'" in said


@pytest.mark.parametrize("header", ["path,label,fold", "path,label,is_train", "path,label,phase,step"])
def test_a_column_that_looks_like_a_split_is_noted(root, header):
    def cells(i):
        return (label(i), WORDS[i // 2 % 3], WORDS[i % 2]) if "step" in header else (label(i), str(i // 2 % 2))

    said = check(root, header, cells)
    assert f"note: column {header.rpartition(',')[2]} (" in said
    assert "may be a split and is not used" in said


def test_two_columns_of_groups_are_asked_about(root):
    def cells(i):
        return label(i), f"p{i // 4}", f"l{i // 2}"

    said = check(root, "path,label,patient_id,lesion_id", cells, code=2)
    assert "several columns may contain the groups: patient_id, lesion_id" in said
    assert "--group-by REGEX" in said
    assert "groups in column group" in check(root, "path,label,group,lesion_id", cells)
    command = ["data", "check", str(root / "photos.csv"), "--group-by", r"(\d)"]
    result = CliRunner().invoke(main, command)
    assert (result.exit_code, "groups in column" in result.output) == (0, False)


def test_cells_that_name_no_group(root):
    said = check(root, "path,label,patient", lambda i: (label(i), "NA" if i < 8 else f"p{i // 2}"))
    assert "2 groups" in said


def test_a_column_twice_is_refused(root):
    said = check(root, "path,label,label", lambda i: (label(i), "z"), code=2)
    assert "found 2 columns named 'label'; accepted: one" in said


def test_names_of_classes_rather_than_their_numbers(root):
    said = check(root, "Filename,Label,Species", lambda i: (str(i % 2), ("rose", "tulip")[i % 2]))
    assert "classes in column Species" in said
    said = check(root, "Filename,Label,Species", lambda i: (str(i % 2), ("rose", "tulip")[i % 3 % 2]))
    assert "classes in column Label" in said


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"separator": "|"}, "photos.csv has vertical bars as separators"),
        ({"encoding": "utf-16-le"}, "UTF-16 (no byte order mark)"),
        ({"separator": ";", "above": "sep=;\n"}, "photos.csv has semicolons as separators"),
    ],
)
def test_forms_of_a_table(root, form, said):
    assert said in check(root, "path,label", lambda i: (label(i),), **form)


def test_lines_are_counted_from_the_first(root):
    said = check(root, "path,label,split", lambda i: (label(i), "no"), separator=";", above="sep=;\n", code=2)
    assert "line 3: unknown split 'no'" in said


def test_a_column_for_each_of_two_classes(root):
    said = check(root, "path,rose,tulip", lambda i: (str(i % 2), str(1 - i % 2)), code=2)
    assert "the columns rose, tulip are one-hot (0 or 1 for each class)" in said


def test_numbers_with_zeros_are_near_names(root):
    said = check(root, "path,label", lambda i: (("1", "1.0", "02", "2")[i % 4],))
    assert said.count("these similar names are separate classes") == 2


def test_names_of_columns_are_not_translated(root, monkeypatch):
    monkeypatch.setenv("COMMONGARDEN_LANG", "ko")
    assert "경로는 path 열" in check(root, "path,label", lambda i: (label(i),)).replace("'", "")
