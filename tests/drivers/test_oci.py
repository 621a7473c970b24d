"""``lxfs oci-hook`` and ``lxfs attach`` with containers that runc makes, or crun.

crun (1.8.1) refuses to run where cgroups are of both versions; the emulated machine has it alone.
"""

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.drivers.boxes import come_from, driver
from tests.drivers.conftest import LXFS, MIB, Mount, eventually, lxfs

__all__ = ["driver"]

RUNTIME = next((name for name in ("runc", "crun") if shutil.which(name)), "")
# A hook begins in the bundle, with this alone.
ENVIRONMENT = [f"PYTHONPATH={Path(__file__).parents[2]}", f"PATH={os.environ['PATH']}"]
READ = "head -1 /proc/meminfo; grep -c lxfs /proc/mounts"
NAME = f"lxfs-test-{os.getpid()}"

pytestmark = pytest.mark.skipif(
    not (RUNTIME and shutil.which("busybox")),
    reason="runc or busybox is not installed (packaging/test-packages.sh)",
)


def _bundle(path: Path, command: str, hooks: dict[str, Any] | None = None) -> Path:
    """Make what the runtime runs: busybox under 256 MiB, without a network."""
    root = path / "rootfs"
    for name in ("bin", "proc", "sys", "dev", "tmp"):
        (root / name).mkdir(parents=True)
    busybox = shutil.which("busybox")
    assert busybox
    shutil.copy(busybox, root / "bin/busybox")
    for tool in ("sh", "head", "grep", "sleep"):
        (root / "bin" / tool).symlink_to("busybox")
    subprocess.run([RUNTIME, "spec"], cwd=path, check=True)
    config = json.loads((path / "config.json").read_text())
    config["process"] |= {"terminal": False, "args": ["sh", "-c", command]}
    config["linux"]["cgroupsPath"] = f"/{NAME}"
    config["linux"]["resources"]["memory"] = {"limit": 256 * MIB}
    config["hooks"] = hooks or {}
    # Not every machine may raise them.
    config["process"].pop("rlimits", None)
    (path / "config.json").write_text(json.dumps(config))
    return path


def _hooks(mount: Mount, stage: str = "createRuntime") -> dict[str, Any]:
    arguments = [*LXFS, "oci-hook", *come_from(mount)]
    hook = {"path": arguments[0], "args": arguments, "env": ENVIRONMENT, "timeout": 20}
    return {stage: [hook]}


def _run(bundle: Path) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [RUNTIME, "run", "--bundle", bundle, NAME],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except subprocess.TimeoutExpired:
        subprocess.run([RUNTIME, "delete", "--force", NAME], timeout=60, check=False)
        raise


@contextlib.contextmanager
def _running(bundle: Path) -> Iterator[None]:
    subprocess.run(
        [RUNTIME, "run", "--detach", "--bundle", bundle, NAME],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=60,
        check=True,
    )
    try:
        yield
    finally:
        subprocess.run([RUNTIME, "delete", "--force", NAME], timeout=60, check=False)


@pytest.mark.parametrize("stage", ["createRuntime", "prestart", "poststart"])
def test_the_hook_serves_a_container_from_its_start(
    mount: Mount, tmp_path: Path, stage: str
) -> None:
    """Called before or after its root is its own, the hook puts the view where programs see it."""
    wait = "while ! grep -q lxfs /proc/mounts; do sleep 0.1; done; " if stage == "poststart" else ""
    done = _run(_bundle(tmp_path, wait + READ, _hooks(mount, stage)))
    assert done.returncode == 0, done.stderr
    total, count = done.stdout.splitlines()
    assert total.split() == ["MemTotal:", "262144", "kB"]
    assert int(count) >= 10
    assert "rootfs" not in Path("/proc/self/mountinfo").read_text()


def test_a_container_starts_without_lxfs(mount: Mount, tmp_path: Path) -> None:
    """Where the view is not mounted, the hook says so and the container starts all the same."""
    hooks = _hooks(mount)
    hooks["createRuntime"][0]["args"][-1] = str(tmp_path / "nowhere")
    done = _run(_bundle(tmp_path, READ, hooks))
    assert done.stdout.splitlines()[1] == "0"


def test_a_host_pid_namespace_is_left(mount: Mount, tmp_path: Path) -> None:
    """A container that shares the host's pid namespace is shown the host, and gets no mount."""
    bundle = _bundle(tmp_path, READ, _hooks(mount))
    config = json.loads((bundle / "config.json").read_text())
    config["linux"]["namespaces"] = [{"type": "mount"}, {"type": "ipc"}, {"type": "uts"}]
    (bundle / "config.json").write_text(json.dumps(config))
    assert _run(bundle).stdout.splitlines()[1] == "0"


def test_a_running_container_by_its_name(mount: Mount, tmp_path: Path) -> None:
    """A container that runs is attached to by its runtime's name for it, and listed so."""
    with _running(_bundle(tmp_path, "sleep 60")):
        done = lxfs("attach", NAME, *come_from(mount))
        assert (done.returncode, done.stderr) == (0, "")
        inside = subprocess.run(
            [RUNTIME, "exec", NAME, "sh", "-c", READ], capture_output=True, text=True, check=True
        )
        assert inside.stdout.split()[1] == "262144"
        assert any(
            line.startswith(f"{RUNTIME}:{NAME} ") and line.endswith("answers")
            for line in lxfs("status").stdout.splitlines()
        )
        assert lxfs("detach", f"{RUNTIME}:{NAME}").returncode == 0
        assert eventually(
            lambda: (
                "lxfs"
                not in subprocess.run(
                    [RUNTIME, "exec", NAME, "grep", "-c", "", "/proc/mounts"],
                    capture_output=True,
                    text=True,
                    check=True,
                ).stdout
            )
        )


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"id": "x", "pid": "y", "bundle": "/"}'])
def test_what_is_no_state_is_said(text: str) -> None:
    """Whatever stands on its input, the hook ends with status 0 and one line."""
    done = lxfs("oci-hook", text=text)
    assert done.returncode == 0
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "starts without lxfs" in done.stderr
