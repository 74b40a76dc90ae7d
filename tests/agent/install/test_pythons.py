"""Which Python the environment is made with, and what is said when there is none."""

import json
from pathlib import Path

import pytest

from agent.install.pythons import Python, choose, how_to_get, probe_all, read_os_release
from agent.install.steps import InstallError

ORACLE = 'NAME="Oracle Linux Server"\nID="ol"\nID_LIKE="fedora"\nVERSION_ID="9.5"\n'
UBUNTU_22 = 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"\n'
UBUNTU_24 = 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n'
DNF, APT = "sudo dnf install -y python3.11", "sudo apt-get install -y python3"
ADVICE = {
    "Oracle Linux 9": (ORACLE, DNF),
    "Ubuntu 22.04, whose own Python is 3.10": (UBUNTU_22, f"{APT}.11 python3.11-venv"),
    "Ubuntu 24.04": (UBUNTU_24, f"{APT} python3-venv"),
    "Debian": ("ID=debian\nVERSION_ID=12\n", f"{APT} python3-venv"),
    "another": ("ID=nixos\n", "install python3.11 and its venv module"),
}


@pytest.mark.parametrize(("text", "command"), ADVICE.values(), ids=ADVICE)
def test_the_command_that_gets_a_python_is_named_for_each_system(text: str, command: str) -> None:
    assert command in how_to_get(read_os_release(text))


UNFIT = {
    "too old": (Python(Path("/usr/bin/python3"), (3, 10), has_venv=True), "is Python 3.10"),
    "without venv": (Python(Path("/usr/bin/python3"), (3, 12), has_venv=False), "lacks the venv"),
    "in a home": (Python(Path("/home/opc/py/bin/python"), (3, 12), has_venv=True), "cannot see"),
}


@pytest.mark.parametrize(("python", "why"), UNFIT.values(), ids=UNFIT)
def test_an_unfit_python_is_refused_with_its_reason(python: Python, why: str) -> None:
    with pytest.raises(InstallError, match=why) as error:
        choose([python], read_os_release(ORACLE))
    assert DNF in str(error.value)


def test_the_first_fit_python_is_taken() -> None:
    fit = Python(Path("/usr/bin/python3.11"), (3, 11), has_venv=True)
    assert choose([UNFIT["too old"][0], fit], {}) is fit


def test_a_python_that_does_not_answer_is_left_out() -> None:
    answers = {"/a": json.dumps([[3, 12], True]), "/b": None, "/c": "Segmentation fault"}
    found = probe_all(map(Path, answers), lambda words: answers[words[0]])
    assert found == [Python(Path("/a"), (3, 12), has_venv=True)]
