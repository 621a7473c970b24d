"""The lab as pytest fixtures, for every rung that wants real daemons.

Role: starts it once, when the first test asks, and removes it at the end, after a failure or a
Ctrl-C too. Boundary: pytest on one side, lab.py on the other. Threading: pytest's own.

The session's lab is called `test` (`test2` … when other sessions run), so that a lab of `make
lab-up` is left alone. A session that was killed leaves its lab; the next one removes it. With
LXTUI_LAB=NAME the tests use the lab NAME, starting it if need be, and leave it up: quicker while
writing tests. With LXTUI_LAB_REQUIRED=1 tests fail instead of skipping where there can be no lab.
LXTUI_LAB_POOL=btrfs gives the hosts of a fresh lab pools of that driver, instead of `dir`.
"""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import pytest

from . import procs
from .errors import LabUnavailable
from .lab import Host, Lab, down, no_driver, up
from .plan import DRIVERS, POOL_SIZE, Driver, check_name
from .tools import Lock, no_interrupts

NAMES = ("test", *(f"test{number}" for number in range(2, 9)))
_numbers = itertools.count(1)


class MakeInstance(Protocol):
    """Makes a container that is gone, on every host, when the test ends; returns its name."""

    def __call__(
        self,
        host: Host,
        config: dict[str, str] | None = None,
        *,
        start: bool = True,
        name: str | None = None,
        pool: str = "",
    ) -> str:
        """Make it on HOST with the limits in CONFIG, in POOL if one is named, and start it."""


class MakePool(Protocol):
    """Makes a storage pool that is gone, with its instances, when the test ends."""

    def __call__(
        self, host: Host, name: str, driver: Driver = "btrfs", size: str = POOL_SIZE
    ) -> str:
        """Make it on HOST, in an image of SIZE; returns its name."""


def _wanted_driver() -> Driver | None:
    wanted = os.environ.get("LXTUI_LAB_POOL")
    if wanted in DRIVERS:
        return wanted
    if wanted:
        raise LabUnavailable(f"LXTUI_LAB_POOL={wanted}: it is one of {', '.join(DRIVERS)}")
    return None


@contextmanager
def session_lab() -> Iterator[Lab]:
    """Hold a lab for as long as the block lasts. Raises LabUnavailable."""
    if name := os.environ.get("LXTUI_LAB"):
        yield up(check_name(name), driver=_wanted_driver())
        return
    for name in NAMES:
        owner = Lock(f"owner {name}")
        if owner.try_acquire():
            break
    else:
        raise LabUnavailable(f"{len(NAMES)} test sessions with labs run already")
    try:
        # A whole lab of that name is of no use: the killed session's tests may have changed it.
        if os.geteuid() == 0:
            down(name)
        yield up(name, driver=_wanted_driver())
    finally:
        with no_interrupts():
            if os.geteuid() == 0:
                down(name)
            owner.release()


def _skip(reason: str) -> None:
    if os.environ.get("LXTUI_LAB_REQUIRED"):
        pytest.fail(f"no lab: {reason}", pytrace=False)
    pytest.skip(f"no lab: {reason}")


def _host(lab: Lab, name: str) -> Host:
    try:
        return lab.host(name)
    except LabUnavailable as error:
        _skip(str(error))
        raise


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Two LXD hosts and one Incus host with containers, shared by the whole session."""
    began = False
    try:
        with session_lab() as running:
            began = True
            yield running
    except LabUnavailable as error:
        if began:  # it is the end that failed, and no test is left to skip
            raise
        _skip(str(error))


@pytest.fixture(scope="session")
def lxd1(lab: Lab) -> Host:
    """Return the first LXD host."""
    return _host(lab, "lxd1")


@pytest.fixture(scope="session")
def lxd2(lab: Lab) -> Host:
    """Return the second LXD host."""
    return _host(lab, "lxd2")


@pytest.fixture(scope="session")
def incus1(lab: Lab) -> Host:
    """Return the Incus host."""
    return _host(lab, "incus1")


@pytest.fixture
def make_instance(lab: Lab, pytestconfig: pytest.Config) -> Iterator[MakeInstance]:
    """Make containers of one's own; tests leave those of the plan as they are.

    A daemon that has died in another test is that one's failure, and not all later ones', too.
    """
    for host in lab.hosts:
        if said := host.revive():
            capture = pytestconfig.pluginmanager.getplugin("capturemanager")
            with capture.global_and_fixture_disabled():
                print(f"\n{said}")
    made: list[str] = []

    def make(
        host: Host,
        config: dict[str, str] | None = None,
        *,
        start: bool = True,
        name: str | None = None,
        pool: str = "",
    ) -> str:
        name = name or f"t{os.getpid()}-{next(_numbers)}"
        made.append(name)
        host.launch(name, config, start=start, pool=pool)
        return name

    yield make
    for name in made:
        procs.thaw(procs.payloads(name), stuck=True)  # else the daemon waits on, busy with it
        for host in lab.hosts:  # it may have moved
            host.delete(name)


@pytest.fixture
def make_pool(lab: Lab) -> Iterator[MakePool]:
    """Make pools beside the one that every host has; skips where the driver cannot be."""
    made: set[str] = set()

    def make(host: Host, name: str, driver: Driver = "btrfs", size: str = POOL_SIZE) -> str:
        if reason := no_driver(driver):
            _skip(reason)
        made.add(name)
        host.make_pool(name, driver, size)
        return name

    yield make
    for host in lab.hosts:
        for name in made:
            host.drop_pool(name)
