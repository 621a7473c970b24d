"""Processes out of the texts of /proc, which are the container's to write."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lxtui.detail.processes import Process, Reading, process_from, users, with_shares

STAT = (
    b"30 (a) b (c) S 1 30 30 0 -1 4194304 57 0 0 0 150 50 0 0 20 0 3 0 4791905 2322432 316 "
    b"18446744073709551615 1 1 1 0 0 0 0 4102 0 1 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
)
STATUS = b"Name:\ta) b (c\nState:\tS (sleeping)\nUid:\t33\t33\nVmRSS:\t    1264 kB\nThreads:\t3\n"


def test_a_process() -> None:
    """A name may hold brackets and blanks; arguments are joined by blanks."""
    found = process_from(30, 33, STAT, STATUS, b"sleep\x00100\x00")
    assert found == Process(
        30, 1, 33, "S", "a) b (c", "sleep 100", 200, None, 1264 * 1024, 3, 4791905
    )


def test_one_without_arguments_is_shown_by_its_name() -> None:
    """As ps does with kernel threads and zombies."""
    assert process_from(30, 0, STAT, STATUS, b"").command == "[a) b (c]"


def test_one_that_has_gone_is_a_number() -> None:
    """Between the listing and the reading processes end."""
    found = process_from(5, None, b"", b"", b"")
    assert (found.pid, found.state, found.cpu_ticks, found.memory) == (5, "?", None, None)


@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=600))
def test_no_bytes_break_it(stat: bytes, status: bytes, cmdline: bytes) -> None:
    """Whatever a container mounts over its /proc is a row of text of bounded length."""
    found = process_from(1, 0, stat, status, cmdline)
    assert len(found.command) <= 302 or not cmdline.strip(b"\0")
    assert len(found.state) == 1


def test_shares_are_of_the_same_process_only() -> None:
    """A pid that another process has taken over has no share yet; the busiest stands first."""
    before = Reading(
        10.0, (Process(1, cpu_ticks=100, started=5), Process(2, cpu_ticks=9, started=6))
    )
    now = Reading(
        12.0,
        (
            Process(2, cpu_ticks=1, started=99, memory=10),
            Process(3, cpu_ticks=1, started=7, memory=20),
            Process(1, cpu_ticks=200, started=5),
        ),
    )
    found = with_shares(before, now)
    assert [(one.pid, one.cpu_percent) for one in found] == [(1, 50.0), (3, None), (2, None)]
    assert all(one.cpu_percent is None for one in with_shares(None, now))


def test_users() -> None:
    """Names by number; the first of a number wins, odd lines are left out."""
    assert users(b"root:x:0:0::/:/bin/sh\ntoor:x:0:0\nbad\nx:y:z\nweb:x:33:33\n") == {
        0: "root",
        33: "web",
    }
