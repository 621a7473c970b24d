"""Real moves between storage pools of btrfs, and between these and directories."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag

import pytest

from lxtui.backend.base import Backend
from lxtui.commands import Move
from lxtui.errors import LxtuiError
from lxtui.migrate.options import Mode, MoveOptions, Transport, Verify
from lxtui.model import Progress, Ref
from lxtui.perform import perform
from tests.lab.fixtures import MakeInstance, MakePool
from tests.lab.lab import Host, Lab
from tests.lab.tools import run

BTRFS, DIR = "btr", "plain"
ROUTES = (("lxd1", "lxd2"), ("lxd1", "incus1"), ("incus1", "lxd2"))
PAIRS = ((BTRFS, BTRFS), (DIR, BTRFS), (BTRFS, DIR))
TELLING = {
    ("lxd1", "lxd2", BTRFS, BTRFS, Mode.NEAR_LIVE),
}
"""Each route and pair of drivers that a plain run tries; LXTUI_LONG=1 tries all."""
BIG = 24_000_000
Tree = dict[str, tuple[int, int, str]]


def _ways() -> Iterator[object]:
    for source, target in ROUTES:
        for here, there in PAIRS:
            for mode in (Mode.COLD, Mode.NEAR_LIVE):
                way = (source, target, here, there, mode)
                marks = () if way in TELLING else (pytest.mark.long,)
                yield pytest.param(*way, marks=marks, id="-".join(way))


@pytest.fixture
def pools(make_pool: MakePool) -> Callable[[Host], None]:
    """Give a host a pool of each driver; they are gone when the test ends."""

    def make(host: Host) -> None:
        make_pool(host, BTRFS, "btrfs")
        make_pool(host, DIR, "dir")

    return make


def _tree(host: Host, pool: str, name: str, snapshot: str = "") -> Tree:
    """Every file of an instance or a snapshot by its path: mode, size, and content or target."""
    kind = ("containers-snapshots", name, snapshot) if snapshot else ("containers", name)
    top = host.pools.joinpath(pool, *kind, "rootfs")
    found: Tree = {}
    for folder, folders, files in os.walk(top):
        for one in (*folders, *files):
            path = Path(folder, one)
            about = path.lstat()
            content, size = "", 0
            if stat.S_ISLNK(about.st_mode):
                content = str(path.readlink())
            elif stat.S_ISREG(about.st_mode):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                size = about.st_size
            found[str(path.relative_to(top))] = (about.st_mode, size, content)
    return found


def _carried(host: Host) -> int:
    """Bytes that have gone over the cable of *host*, either way."""
    counters = Path("/sys/class/net") / host.plan.veth / "statistics"
    return sum(int((counters / f"{way}_bytes").read_text()) for way in ("rx", "tx"))


class _Busy:
    """Writes into a container at each word of the move, for as long as it runs."""

    def __init__(self, host: Host, name: str, target: Host) -> None:
        self._host = host
        self._name = name
        self._target = target
        self.written = 0
        self._refreshed_from = 0
        self.refreshed = 0
        """Bytes that the passes after the first one have brought."""

    def __call__(self, progress: Progress) -> None:
        if "what changed meanwhile" in progress.text:
            self._refreshed_from = _carried(self._target)
        elif "are compared" in progress.text:
            self.refreshed = _carried(self._target) - self._refreshed_from
        if self.written < 0 or "is stopped" in progress.text:
            self.written = -abs(self.written)
        else:
            self.written += 1
            self._host.write_file(self._name, "/root/counter", b"%06d" % self.written)
            self._host.write_file(self._name, f"/root/new-{self.written}", os.urandom(5_000))


def _history(host: Host, backend: Backend, name: str) -> None:
    """Two snapshots of different content, and another content now.

    The sizes differ: into a directory the daemons copy snapshots by rsync's quick check, and one of
    the same size and second may have the content of the one before (docs/moves.md, "The data").
    """
    ref = Ref(host.name, "default", name)
    host.write_file(name, "/root/big", os.urandom(BIG))
    for number in range(2):
        host.write_file(name, "/root/file", b"state" + b"!" * number)
        host.write_file(name, f"/root/only-{number}", os.urandom(1000))
        backend.wait(backend.create_snapshot(ref, f"snap{number}"))
    host.write_file(name, "/root/file", b"state 9")


@pytest.mark.parametrize(("source", "target", "here", "there", "mode"), _ways())
def test_a_container_moves_between_drivers(
    lab: Lab,
    backends: dict[str, Backend],
    pools: Callable[[Host], None],
    make_instance: MakeInstance,
    tmp_path: Path,
    source: str,
    target: str,
    here: str,
    there: str,
    mode: Mode,
) -> None:
    """Its files, those written between the passes too, and its snapshots are equal on the disk."""
    before, after = lab.host(source), lab.host(target)
    pools(before)
    pools(after)
    name = make_instance(before, {"limits.memory": "64MiB"}, pool=here)
    _history(before, backends[source], name)
    busy = _Busy(before, name, after)
    options = MoveOptions(mode=mode, pool=there, keep_source=True, verify=Verify.CHECKSUM)
    perform(Move(Ref(source, "default", name), target, options), backends, busy, Flag(), tmp_path)
    assert after.status(name) == "Running"
    assert busy.written
    counter = after.read_file(name, "/root/counter")
    assert counter == b"%06d" % abs(busy.written)
    kept = f"{name}-moved"
    assert _tree(after, there, name) == _tree(before, here, kept)
    for snapshot in ("snap0", "snap1"):
        assert _tree(after, there, name, snapshot) == _tree(before, here, kept, snapshot)
    if mode is Mode.NEAR_LIVE:
        assert 0 < busy.refreshed < BIG, f"{busy.refreshed} bytes again, of {BIG}"


def test_a_replica_is_refreshed(
    lab: Lab,
    backends: dict[str, Backend],
    pools: Callable[[Host], None],
    make_instance: MakeInstance,
    tmp_path: Path,
) -> None:
    """--copy and later --refresh between two pools of btrfs: only what is new goes over."""
    before, after = lab.host("lxd1"), lab.host("incus1")
    pools(before)
    pools(after)
    name = make_instance(before, pool=BTRFS, start=False)
    _history(before, backends["lxd1"], name)
    ref = Ref("lxd1", "default", name)

    first = MoveOptions(pool=BTRFS, name=f"{name}-c", verify=Verify.FILES, copy=True)

    def take(options: MoveOptions) -> None:
        perform(Move(ref, "incus1", options), backends, lambda _: None, Flag(), tmp_path)

    try:
        take(first)
        before.write_file(name, "/root/file", b"state a")
        before.write_file(name, "/root/later", b"later")
        backends["lxd1"].wait(backends["lxd1"].delete_snapshot(ref, "snap0"))
        backends["lxd1"].wait(backends["lxd1"].create_snapshot(ref, "snap2"))
        sent = _carried(after)
        take(replace(first, refresh=True))
        sent = _carried(after) - sent
        assert _tree(after, BTRFS, f"{name}-c") == _tree(before, BTRFS, name)
        copies = backends["incus1"].instance(Ref("incus1", "default", f"{name}-c")).snapshots
        assert sorted(one.name for one in copies) == ["snap1", "snap2"]
        for one in ("snap1", "snap2"):
            assert _tree(after, BTRFS, f"{name}-c", one) == _tree(before, BTRFS, name, one)
        assert sent < BIG, f"{sent} bytes for a refresh"
    finally:
        after.delete(f"{name}-c")


@pytest.mark.parametrize(
    ("where", "here", "there"),
    [
        pytest.param("lxd1", BTRFS, DIR, marks=pytest.mark.long),
        pytest.param("lxd1", DIR, BTRFS, marks=pytest.mark.long),
        pytest.param("incus1", BTRFS, DIR, marks=pytest.mark.long),
        pytest.param("incus1", DIR, BTRFS, marks=pytest.mark.long),
        pytest.param("lxd1", BTRFS, BTRFS + "2", marks=pytest.mark.long),
        pytest.param("incus1", BTRFS, BTRFS + "2", marks=pytest.mark.long),
    ],
)
def test_another_pool_of_the_same_server(
    lab: Lab,
    backends: dict[str, Backend],
    pools: Callable[[Host], None],
    make_pool: MakePool,
    make_instance: MakeInstance,
    tmp_path: Path,
    where: str,
    here: str,
    there: str,
) -> None:
    """The copy takes the instance's place under its name, with files and snapshots of just now."""
    host, backend = lab.host(where), backends[where]
    pools(host)
    if there not in {BTRFS, DIR}:
        make_pool(host, there, "btrfs")
    name = make_instance(host, pool=here)
    _history(host, backend, name)
    options = MoveOptions(pool=there, keep_source=True, verify=Verify.FILES)
    perform(
        Move(Ref(where, "default", name), where, options),
        backends,
        lambda _: None,
        Flag(),
        tmp_path,
    )
    try:
        arrived = backend.instance(Ref(where, "default", name))
        assert arrived.running
        assert arrived.expanded_devices["root"]["pool"] == there
        assert _tree(host, there, name) == _tree(host, here, f"{name}-moved")
        for one in ("snap0", "snap1"):
            kept = _tree(host, here, f"{name}-moved", one)
            assert _tree(host, there, name, one) == kept
    finally:
        host.delete(f"{name}-moved")


def _subvolume(host: Host, name: str) -> Path:
    """A subvolume inside the container's root, with a file; where it is seen from here."""
    inside = host.pools / BTRFS / "containers" / name / "rootfs/root/sub"
    run(["btrfs", "subvolume", "create", str(inside)])
    owner = inside.parent.stat()
    os.chown(inside, owner.st_uid, owner.st_gid)
    (inside / "file").write_bytes(b"inside")
    os.chown(inside / "file", owner.st_uid, owner.st_gid)
    return inside


@pytest.mark.parametrize(
    "verify",
    [
        pytest.param(Verify.FILES, marks=pytest.mark.long),
        pytest.param(Verify.CHECKSUM, marks=pytest.mark.long),
        pytest.param(Verify.EXPORT, marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize(
    ("source", "target", "there"),
    [
        ("lxd1", "lxd2", BTRFS),
        pytest.param("lxd1", "incus1", DIR, marks=pytest.mark.long),
        pytest.param("incus1", "lxd2", BTRFS, marks=pytest.mark.long),
    ],
)
def test_a_subvolume_inside_goes_along(
    lab: Lab,
    backends: dict[str, Backend],
    pools: Callable[[Host], None],
    make_instance: MakeInstance,
    tmp_path: Path,
    source: str,
    target: str,
    there: str,
    verify: Verify,
) -> None:
    """What is in a subvolume of the container's own arrives, and is seen when it does not."""
    before, after = lab.host(source), lab.host(target)
    pools(before)
    pools(after)
    name = make_instance(before, pool=BTRFS, start=False)
    ref = Ref(source, "default", name)
    _subvolume(before, name)
    backends[source].wait(backends[source].create_snapshot(ref, "before"))
    arrived = after.pools / there / "containers" / name / "rootfs/root/sub"

    def spoil(progress: Progress) -> None:
        if "are compared" in progress.text:
            (arrived / "file").write_bytes(b"insid")

    options = MoveOptions(pool=there, verify=verify)
    with pytest.raises(LxtuiError, match="/root/sub/file has another size"):
        perform(Move(ref, target, options), backends, spoil, Flag(), tmp_path)
    assert after.status(name) is None
    perform(Move(ref, target, options), backends, lambda _: None, Flag(), tmp_path)
    assert before.status(name) is None
    assert (arrived / "file").read_bytes() == b"inside"
    tree = _tree(after, there, name, "before")
    assert tree["root/sub/file"][1] == len(b"inside")


@pytest.mark.long
@pytest.mark.parametrize(
    ("source", "target"),
    ROUTES,
)
def test_a_relay_between_pools_of_btrfs(
    lab: Lab,
    backends: dict[str, Backend],
    pools: Callable[[Host], None],
    make_instance: MakeInstance,
    tmp_path: Path,
    source: str,
    target: str,
) -> None:
    """Through this machine, near-live: every file is equal, and the copy runs."""
    before, after = lab.host(source), lab.host(target)
    pools(before)
    pools(after)
    name = make_instance(before, pool=BTRFS)
    _history(before, backends[source], name)
    options = MoveOptions(
        mode=Mode.NEAR_LIVE, transport=Transport.RELAY, pool=BTRFS, keep_source=True
    )
    busy = _Busy(before, name, after)
    perform(Move(Ref(source, "default", name), target, options), backends, busy, Flag(), tmp_path)
    assert after.status(name) == "Running"
    assert _tree(after, BTRFS, name) == _tree(before, BTRFS, f"{name}-moved")
