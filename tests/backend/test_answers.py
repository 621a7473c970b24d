"""What the detail screens ask: the same on the demo fleet, on LXD and on Incus."""

from __future__ import annotations

import time
from collections.abc import Callable

from lxtui.detail.answers import Answers
from lxtui.detail.history import point_of
from lxtui.detail.processes import with_shares
from lxtui.errors import OperationError
from lxtui.model import StateAction
from tests.backend.conftest import Side

_SECONDS = 20.0


def _answers(side: Side) -> Answers:
    side.backend.connect()
    return Answers({side.backend.remote.name: side.backend}, lambda _: ())


def _until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < until, "did not happen in time"
        time.sleep(0.1)


def test_samples_make_rates(side: Side) -> None:
    """Two samples of a running instance are of one life and give its use of the CPU."""
    ref, answers = side.make(True), _answers(side)
    first = answers.sample(ref)
    assert first.status == "Running"
    assert first.init
    assert first.memory
    assert first.processes
    time.sleep(0.5)
    point = point_of(first, answers.sample(ref))
    assert point.cpu is not None
    assert point.cpu >= 0
    assert set(first.received) == {"eth0"}


def test_a_restart_is_another_life(side: Side) -> None:
    """Counters of two lives make no rate."""
    if side.backend.remote.address.startswith("demo"):
        return  # its instances have one life
    ref, answers = side.make(True), _answers(side)
    before = answers.sample(ref)
    side.backend.wait(side.backend.change_state(ref, StateAction.RESTART, force=True))
    after = answers.sample(ref)
    assert after.init != before.init
    assert point_of(before, after).cpu is None


def test_a_stopped_instance_has_a_sample_without_a_life(side: Side) -> None:
    """It is an answer, not an error."""
    ref, answers = side.make(False), _answers(side)
    sample = answers.sample(ref)
    assert sample.init is None
    assert sample.status == "Stopped"


def test_a_host_has_its_memory_and_all_states(side: Side) -> None:
    """Totals of the machine, and each instance by its reference."""
    running, answers = side.make(True), _answers(side)
    found = answers.host_sample(side.backend.remote.name)
    assert found.host.memory_total
    assert found.host.memory_used
    assert found.host.memory_used < found.host.memory_total
    assert found.host.cpus
    assert found.instances[running].init


def test_processes_are_numbered_as_inside(side: Side) -> None:
    """Its init is 1, with a command, memory and an owner of the instance's own."""
    ref, answers = side.make(True), _answers(side)
    # A container of the lab begins its last process a moment after it is running.
    _until(lambda: len(answers.processes(ref).reading.processes) > 1)
    found = answers.processes(ref)
    by_pid = {one.pid: one for one in found.reading.processes}
    assert by_pid[1].parent == 0
    assert "init" in by_pid[1].command
    assert by_pid[1].memory
    assert by_pid[1].uid == 0
    assert found.users[0] == "root"
    shares = {
        one.pid: one.cpu_percent
        for one in with_shares(found.reading, answers.processes(ref).reading)
    }
    assert shares[1] is not None


def test_logs_can_be_read(side: Side) -> None:
    """The daemon's log of a start is named, and its end is read."""
    ref, answers = side.make(True), _answers(side)
    assert "lxc.log" in answers.logs(ref)
    text = answers.log(ref, "lxc.log")
    assert len(text.data) <= text.size


def test_the_console_is_kept_for_one_reader(side: Side) -> None:
    """What was read is gone from the server, which is why the screen asks first."""
    ref, answers = side.make(True), _answers(side)
    if not side.backend.remote.address.startswith("demo"):
        argv = ["sh", "-c", "echo hello > /dev/console"]
        _until(lambda: side.backend.execute(ref, argv) == 0)
    _until(lambda: bool(answers.console_log(ref).data))
    assert answers.console_log(ref).data == b""


def test_snapshots_and_profiles(side: Side) -> None:
    """Snapshots by name; a profile that is not there is None beside those that are."""
    ref, answers = side.make(False), _answers(side)
    side.backend.wait(side.backend.create_snapshot(ref, "one"))
    assert [one.name for one in answers.snapshots(ref)] == ["one"]
    found = answers.profiles(ref, ("default", "nobody"))
    assert found["nobody"] is None
    assert found["default"] is not None
    assert found["default"].devices


def test_processes_of_a_stopped_instance(side: Side) -> None:
    """There is no /proc to read: an error or nothing, but no made-up process."""
    ref, answers = side.make(False), _answers(side)
    try:
        found = answers.processes(ref).reading.processes
    except OperationError:
        found = ()
    assert not found
