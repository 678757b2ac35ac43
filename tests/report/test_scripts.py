"""The charts' scripts are made once, kept, and never taken from a file that is torn."""

import pytest

from commongarden.report.document import scripts


@pytest.fixture
def made(monkeypatch, tmp_path):
    """Counts how often the scripts are made; the cache is empty."""
    calls = []
    monkeypatch.setenv("COMMONGARDEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(scripts, "_made", lambda: calls.append(1) or "a</script><!--b")
    scripts.bundle.cache_clear()
    yield calls
    scripts.bundle.cache_clear()


def bundle():
    scripts.bundle.cache_clear()
    return scripts.bundle()


def test_scripts_are_made_once_and_safe_inside_a_script(made):
    assert bundle() == bundle() == "a<\\/script><\\!--b"
    assert len(made) == 1


@pytest.mark.parametrize("harm", [b"", b"// 00\nalert(1)", b"\xff\xfe"])
def test_a_torn_file_is_made_anew(made, harm):
    whole = bundle()
    (file,) = scripts.folder().iterdir()
    file.write_bytes(harm)
    assert bundle() == whole
    assert len(made) == 2
    assert bundle() == whole
    assert len(made) == 2


def test_a_cache_that_cannot_be_written_costs_nothing_else(made, tmp_path):
    (tmp_path / "cache").write_text("a file, not a folder")
    assert bundle() == bundle()
    assert len(made) == 2
