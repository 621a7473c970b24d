"""The Debian packages, built from the checkout as it is, and clean systems to install them on.

LXTUI_DEB=1 (`make test-deb`) has them installed on Debian 12 and 13; LXTUI_DEB_REQUIRED=1 makes the
skips of this rung failures.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging.roots import Root, RootUnavailable, running

REPOSITORY = Path(__file__).resolve().parents[2]
SUITES = ("bookworm", "trixie")
TOOLS = ("dpkg-buildpackage", "dh", "dh_python3")


def skip(reason: str) -> None:
    """Skip, or fail where nothing may be skipped."""
    if os.environ.get("LXTUI_DEB_REQUIRED"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def skip_unless_asked() -> None:
    """Skip what installs packages, unless `make test-deb` asks for it."""
    if os.environ.get("LXTUI_DEB") != "1":
        skip("installing on clean roots is for `make test-deb`")


@pytest.fixture(scope="session")
def deb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of lxfs."""
    return _built("lxfs", tmp_path_factory.mktemp("lxfs"))


@pytest.fixture(scope="session")
def lxtui_deb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of lxtui, for which pip is asked for its libraries."""
    skip_unless_asked()
    return _built("lxtui", tmp_path_factory.mktemp("lxtui"))


def _built(program: str, directory: Path) -> Path:
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        skip(f"building needs {', '.join(missing)}: apt install debhelper dh-python")
    done = subprocess.run(
        ["sh", REPOSITORY / "packaging/build-deb.sh", program, directory],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (package,) = directory.glob(f"{program}_*_all.deb")
    return package


@pytest.fixture(scope="module", params=SUITES)
def root(request: pytest.FixtureRequest) -> Iterator[Root]:
    """A clean Debian, of which nothing stays."""
    skip_unless_asked()
    try:
        with running(request.param) as root:
            yield root
    except RootUnavailable as error:
        skip(str(error))
