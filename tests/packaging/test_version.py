"""The version is one: of the distribution, of the module and of the command."""

from importlib.metadata import version

import pytest

import lxfs
import lxtui
from lxfs import cli
from lxtui import start


def test_the_command_says_the_version_of_the_distribution(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """``lxfs --version`` says what pip has installed, without asking its metadata."""
    assert lxfs.__version__ == version("lxtui")
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"lxfs {lxfs.__version__}\n"


def test_lxtui_says_the_same_version(capsys: pytest.CaptureFixture[str]) -> None:
    """``lxtui --version`` says what pip has installed, however it is asked."""
    assert lxtui.__version__ == version("lxtui")
    assert start.main(["--version"]) == 0
    assert start.main(["--demo", "--version"]) == 0
    assert capsys.readouterr().out == f"lxtui {lxtui.__version__}\n" * 2
