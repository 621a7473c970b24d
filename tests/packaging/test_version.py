"""The version is one: of the distribution, of the module and of the command."""

from importlib.metadata import version

import pytest

import lxfs
from lxfs import cli


def test_the_command_says_the_version_of_the_distribution(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """``lxfs --version`` says what pip has installed, without asking its metadata."""
    assert lxfs.__version__ == version("lxtui")
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    assert capsys.readouterr().out == f"lxfs {lxfs.__version__}\n"
