"""Errors of other people's code name their file and line, never ours."""

import textwrap

import pytest
import torch

from commongarden.arch import External
from commongarden.errors import ArchError
from commongarden.train import external
from commongarden.train.blame import describe_user_error, user_traceback

NETS = """\
import torch
from torch import nn
from helping import check


class Net(nn.Module):
    def __init__(self, n, how):
        super().__init__()
        self.conv, self.fc, self.how = nn.Conv2d(3, 4, 3), nn.Linear(7, n), how

    def forward(self, x):
        if self.how == "width":
            return self.fc(self.conv(x).flatten(1))
        if self.how == "assert":
            assert x.shape[1] == 4
        if self.how == "neighbour":
            check(x)
        if self.how == "chained":
            try:
                {}["a"]
            except KeyError as error:
                raise LookupError("no such part") from error
        if self.how == "lines":
            raise ValueError("wrong parts:\\n  one\\n  two")
        raise NotImplementedError


def make(n, how="width"):
    return Net(n, how)
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mynet.py").write_text(NETS)
    (tmp_path / "helping.py").write_text("def check(x):\n    raise IndexError('outside')\n")
    return tmp_path


def error_of(how):
    node = External("mynet.py:make", f'{{"how": "{how}"}}', 5, (16, 16, 3), 0, 0, 0, "", "")
    network = external.make(node)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        network(torch.zeros(2, 3, 16, 16))
    return caught.value


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ("width", "RuntimeError: mat1 and mat2 shapes cannot be multiplied (2x784 and 7x5) "
                  "(mynet.py, line 13, in Net.forward)"),
        ("assert", "AssertionError: assert x.shape[1] == 4 (mynet.py, line 15, in Net.forward)"),
        ("neighbour", "IndexError: outside (helping.py, line 2, in check)"),
        ("chained", "LookupError: no such part (mynet.py, line 22, in Net.forward)"),
        ("lines", "ValueError: wrong parts: one two (mynet.py, line 24, in Net.forward)"),
        ("none", "NotImplementedError (mynet.py, line 25, in Net.forward)"),
    ],
)  # fmt: skip
def test_an_error_names_the_users_own_line(here, how, sentence):
    assert describe_user_error(error_of(how), "mynet.py") == sentence


def test_a_traceback_holds_their_frames_only(here):
    assert user_traceback(error_of("width")) == textwrap.dedent("""\
        Traceback (most recent call last):
          File "mynet.py", line 13, in forward
            return self.fc(self.conv(x).flatten(1))
        RuntimeError: mat1 and mat2 shapes cannot be multiplied (2x784 and 7x5)""")
    chained = user_traceback(error_of("chained"))
    assert "KeyError: 'a'" in chained
    assert chained.endswith("LookupError: no such part")
    assert "commongarden" not in chained


def test_a_library_is_named_where_no_frame_is_the_users():
    network = external.make(External("torchvision:resnet18", "{}", 5, (32, 32, 3), 0, 0, 0, "", ""))
    with pytest.raises(RuntimeError) as caught:
        network(torch.zeros(2, 4, 32, 32))
    assert " (resnet.py, line " in describe_user_error(caught.value)
    assert 'File "torchvision/models/resnet.py"' in user_traceback(caught.value)


def test_where_all_frames_are_torchs_there_is_no_place_but_a_traceback():
    x = torch.ones(3, requires_grad=True)
    y = x.exp()
    z = (y * y).sum()
    with torch.no_grad():
        y.mul_(2)
    with pytest.raises(RuntimeError) as caught:
        torch.autograd.backward(z)
    error = caught.value.with_traceback(caught.value.__traceback__.tb_next)
    assert "line" not in describe_user_error(error)
    assert "torch/autograd" in user_traceback(error)


def test_our_own_refusals_and_files_that_do_not_parse(here):
    assert describe_user_error(ArchError("found 5, accepted: 3")) == "found 5, accepted: 3"
    (here / "broken.py").write_text("import torch\ndef make(n:\n    return 1\n")
    with pytest.raises(ArchError, match=r"SyntaxError: .* \(broken.py, line 2\)"):
        external.make(External("broken.py:make", "{}", 5, (16, 16, 3), 0, 0, 0, "", ""))
