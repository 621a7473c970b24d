"""What the fault matrix breaks, and how it is mended.

Role: ``FAULTS``, by the names that the table shows. Boundary: the lab's daemons, links and disks,
as somebody else would break them; of lxtui only its process. Threading: a cell's own.
"""

from __future__ import annotations

import base64
import hashlib
import signal
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from tests.lab import net
from tests.lab.errors import ApiError
from tests.lab.lab import Host
from tests.lab.rest import instance
from tests.lab.tools import run
from tests.migrate.scene import PROFILE, Fault, Scene


def kill_lxtui(scene: Scene) -> None:
    """SIGKILL, which lxtui does not see coming."""
    if scene.move is not None:
        scene.move.kill()


def _crash(host: Host) -> None:
    host.stop(signal.SIGKILL)


def _up(host: Host) -> None:
    host.start()
    host.wait_ready()


def _cut(host: Host) -> None:
    net.set_link(host.plan, up=False)


def _join(host: Host) -> None:
    net.set_link(host.plan, up=True)


def _later(action: Callable[[Host], None], host: Host, seconds: float) -> None:
    time.sleep(seconds)
    action(host)


def _slow(scene: Scene, rate: str = "40mbit") -> None:
    for host in (scene.source, scene.target):
        shape = ["tbf", "rate", rate, "burst", "64kb", "latency", "400ms"]
        run(["tc", "qdisc", "add", "dev", host.plan.veth, "root", *shape])


def _fast(scene: Scene) -> None:
    for host in (scene.source, scene.target):
        run(["tc", "qdisc", "del", "dev", host.plan.veth, "root"], check=False)


_SMALL = "256MiB"
"""Of a pool with a filesystem of its own: mkfs.btrfs wants 109 MiB at least."""


def _small(scene: Scene) -> Path:
    """Where the small filesystem is, in the target daemon's own mount namespace."""
    return scene.lab.plan.root / f"small-{scene.cell.target}"


def _seen_from_here(scene: Scene) -> Path:
    if scene.lab.plan.driver != "dir":
        return scene.target.pools / "small"
    return Path(f"/proc/{scene.target.pid}/root{_small(scene)}")


def _on_target(scene: Scene, *argv: str, check: bool = True) -> None:
    run(["nsenter", "--target", str(scene.target.pid), "--mount", "--", *argv], check=check)


def _small_pool(scene: Scene) -> None:
    """A pool of its own on the target, on a filesystem that somebody can fill."""
    scene.arguments += ["--pool", "small"]
    if scene.lab.plan.driver != "dir":
        scene.target.make_pool("small", scene.lab.plan.driver, _SMALL)
        return
    where = _small(scene)
    where.mkdir()
    image = where.with_suffix(".img")
    with image.open("wb") as file:
        file.truncate(120_000_000)
    run(["mkfs.ext4", "-q", "-m", "0", str(image)])
    _on_target(scene, "mount", "-o", "loop", str(image), str(where))
    (_seen_from_here(scene) / "pool").mkdir()
    body = {"name": "small", "driver": "dir", "config": {"source": str(where / "pool")}}
    scene.target.api.call("POST", "/1.0/storage-pools", body)


def _no_small_pool(scene: Scene) -> None:
    where = _small(scene)
    with suppress(ApiError):
        scene.target.drop_pool("small")
    if scene.lab.plan.driver != "dir":
        return
    _on_target(scene, "umount", "-l", str(where), check=False)
    where.with_suffix(".img").unlink(missing_ok=True)
    with suppress(OSError):
        where.rmdir()


def _fill(scene: Scene) -> None:
    filler = _seen_from_here(scene) / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(1_000_000)):
            pass


def _drain(scene: Scene) -> None:
    (_seen_from_here(scene) / "filler").unlink(missing_ok=True)


def _take_the_name(scene: Scene) -> None:
    scene.target.create(scene.name, {"user.theirs": "yes"})


def _profiles(scene: Scene) -> None:
    for host in (scene.source, scene.target):
        host.api.call("POST", "/1.0/profiles", {"name": PROFILE, "config": {}, "devices": {}})
    scene.arguments.append(PROFILE)


def _no_profile(scene: Scene) -> None:
    with suppress(ApiError):  # it is in use already: then it cannot vanish
        scene.target.api.call("DELETE", f"/1.0/profiles/{PROFILE}")


def _no_profiles(scene: Scene) -> None:
    for host in (scene.source, scene.target):
        with suppress(ApiError):
            host.api.call("DELETE", f"/1.0/profiles/{PROFILE}")


def _certificate(scene: Scene) -> bytes:
    return ssl.PEM_cert_to_DER_cert(scene.lab.certificate.read_text())


def _revoke(scene: Scene, host: Host) -> None:
    print_ = hashlib.sha256(_certificate(scene)).hexdigest()
    host.api.call("DELETE", f"/1.0/certificates/{print_}")


def _trust(scene: Scene, host: Host) -> None:
    der = base64.b64encode(_certificate(scene)).decode()
    body = {"type": "client", "name": "lab", "certificate": der}
    with suppress(ApiError):  # it is trusted already
        host.api.call("POST", "/1.0/certificates", body)


def _start_source(scene: Scene) -> None:
    with suppress(ApiError):  # Incus does not start what it copies
        scene.source.set_state(scene.name, "start")


def _delete_source(scene: Scene) -> None:
    with suppress(ApiError):  # lxtui is at it
        scene.source.delete(scene.name)


def _change_source(scene: Scene) -> None:
    body = {"config": {"user.mine": "set"}}
    scene.source.api.call("PATCH", instance(scene.name), body)


_FOR_GOOD = frozenset({"copy+", "final+", "start", "delete"})
_BEFORE = frozenset({"claim", "copy"})
FAULTS = {
    "lxtui-killed": Fault(kill_lxtui, recoveries=("resume", "undo")),
    "killed-while-slow": Fault(
        kill_lxtui,
        prepare=partial(_slow, rate="4mbit"),
        clean=_fast,
        moments=frozenset({"copy+"}),
        recoveries=("undo",),
    ),
    "source-killed": Fault(
        lambda scene: _crash(scene.source),
        after=lambda scene: _later(_up, scene.source, 1),
        mend=lambda scene: _up(scene.source),
    ),
    "target-killed": Fault(
        lambda scene: _crash(scene.target),
        after=lambda scene: _later(_up, scene.target, 1),
        mend=lambda scene: _up(scene.target),
    ),
    "link-cut-3s": Fault(
        lambda scene: _cut(scene.target),
        after=lambda scene: _later(_join, scene.target, 3),
        mend=lambda scene: _join(scene.target),
    ),
    "link-cut": Fault(
        lambda scene: _cut(scene.target),
        mend=lambda scene: _join(scene.target),
        moments=_FOR_GOOD,
    ),
    "source-cut": Fault(
        lambda scene: _cut(scene.source),
        mend=lambda scene: _join(scene.source),
        moments=_FOR_GOOD | {"stop", "verify", "finish"},
    ),
    "link-slow": Fault(_slow, mend=_fast, moments=frozenset({"claim"})),
    "pool-full": Fault(
        _fill,
        mend=_drain,
        prepare=_small_pool,
        clean=_no_small_pool,
        moments=frozenset({"copy", "copy+"}),
    ),
    "name-taken": Fault(_take_the_name, moments=_BEFORE),
    "profile-gone": Fault(_no_profile, prepare=_profiles, clean=_no_profiles, moments=_BEFORE),
    "untrusted": Fault(
        lambda scene: _revoke(scene, scene.target),
        mend=lambda scene: _trust(scene, scene.target),
    ),
    "source-untrusted": Fault(
        lambda scene: _revoke(scene, scene.source),
        mend=lambda scene: _trust(scene, scene.source),
        moments=frozenset({"copy+", "refresh", "verify", "delete"}),
    ),
    "source-started": Fault(
        _start_source, moments=frozenset({"copy", "copy+", "final", "verify", "start"})
    ),
    "source-deleted": Fault(
        _delete_source, moments=frozenset({"verify", "start", "delete"}), may_rest=True
    ),
    "source-changed": Fault(_change_source, moments=frozenset({"copy", "verify", "start"})),
}
