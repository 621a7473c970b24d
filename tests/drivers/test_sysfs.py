"""The CPUs of /sys on a real mount: what the kernel and the usual tools make of them."""

import os
import re
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from lxfs import parse
from tests.drivers.conftest import LXFS, Caller, Mount

CPU = "sys/devices/system/cpu"
NODE = "sys/devices/system/node"
MANY = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one CPU cannot be hidden")


def _run(*command: str) -> str:
    """Run a command with one CPU's quota and 256 MiB, and the view over /sys."""
    limits = ["--cpus", "1", "--memory", "256M"]
    done = subprocess.run(
        [*LXFS, "run", *limits, "--", *command], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_the_host_sees_all_its_cpus(mount: Mount) -> None:
    """Outside of containers every served file of every CPU is the host's."""
    own, served = Path(f"/{CPU}"), mount.directory / CPU
    for path in served.rglob("*"):
        mine = own / path.relative_to(served)
        assert path.is_symlink() == mine.is_symlink()
        if path.is_file():
            assert path.read_bytes() == mine.read_bytes(), path
    numbers = [path.name for path in served.glob("cpu[0-9]*")]
    assert sorted(numbers) == sorted(path.name for path in own.glob("cpu[0-9]*"))


@MANY
def test_a_name_known_from_others_is_not_there(mount: Mount, caller: Caller) -> None:
    """A CPU that the host has just looked up is ENOENT to a container, in every system call.

    The kernel has the name in its cache, for all, and does not look it up again.
    """
    view = mount.directory / CPU
    program = textwrap.dedent(f"""
        import os
        cpu = {str(view / "cpu1")!r}
        calls = [
            lambda: os.stat(cpu), lambda: os.listdir(cpu), lambda: os.access(cpu, os.F_OK) or 1 / 0,
            lambda: os.chdir(cpu), lambda: open(cpu + "/online"), lambda: os.stat(cpu + "/online"),
            lambda: os.readlink(cpu + "/subsystem"), lambda: os.listdir(cpu + "/topology"),
            lambda: os.open(cpu, os.O_RDONLY | os.O_DIRECTORY),
        ]
        for number, call in enumerate(calls):
            try:
                print(number, call())
            except (FileNotFoundError, ZeroDivisionError):
                pass
    """)
    (view / "cpu1/online").read_bytes()
    (view / "cpu1/subsystem").readlink()
    list((view / "cpu1/topology").iterdir())
    done = caller([sys.executable, "-c", program])
    assert (done.stdout, done.stderr) == ("", "")
    assert (view / "cpu1/online").exists()


def test_access_knows_what_may_be_done(mount: Mount) -> None:
    """Files may be read and directories entered, nothing written and no file executed."""
    directory = mount.directory / CPU
    for path in (directory / "online", mount.directory / "proc/meminfo"):
        assert os.access(path, os.R_OK)
        assert not os.access(path, os.W_OK)
        assert not os.access(path, os.X_OK)
    assert os.access(directory, os.R_OK | os.X_OK)


@MANY
def test_one_cpu_to_every_counter() -> None:
    """The C library, Python and the shell count one CPU, configured and online."""
    script = (
        "getconf _NPROCESSORS_CONF; getconf _NPROCESSORS_ONLN;"
        f" ls -d /{CPU}/cpu[0-9]* | wc -l; cat /{CPU}/possible /{CPU}/present /{CPU}/offline"
    )
    assert _run("sh", "-c", script).split("\n") == ["1", "1", "1", "0", "0", "", ""]
    assert _run(sys.executable, "-c", "import os; print(os.cpu_count())") == "1\n"


@MANY
@pytest.mark.skipif(shutil.which("lscpu") is None, reason="lscpu is not installed")
def test_lscpu_shows_one_cpu() -> None:
    """The referee lscpu finds one CPU in one core, and none offline."""
    said = dict(re.findall(r"^(.+?):\s+(.*)$", _run("lscpu"), re.MULTILINE))
    assert (said["CPU(s)"], said["On-line CPU(s) list"]) == ("1", "0")
    assert said["Core(s) per socket"] == "1"
    assert not any(name.startswith("Off-line") for name in said)
    lines = _run("lscpu", "--parse=CPU", "--all").splitlines()
    assert [line for line in lines if not line.startswith("#")] == ["0"]


@pytest.mark.skipif(not Path(f"/{NODE}/node0").exists(), reason="this kernel has no NUMA nodes")
def test_nodes_add_up_to_meminfo(mount: Mount, caller: Caller) -> None:
    """Over all nodes the container's memory is that of its /proc/meminfo."""
    nodes = parse.cpulist(caller.reads(mount.directory / NODE / "online").encode())
    texts = [caller.reads(mount.directory / NODE / f"node{node}/meminfo") for node in nodes]
    whole = parse.meminfo(caller.reads(mount.directory / "proc/meminfo").encode())
    assert sum(parse.node_size(text.encode()) for text in texts) == whole[b"MemTotal"]
    cpus = [caller.reads(mount.directory / NODE / f"node{node}/cpulist") for node in nodes]
    assert "".join(cpus).strip() == caller.reads(mount.directory / CPU / "online").strip()


@MANY
@pytest.mark.skipif(shutil.which("numactl") is None, reason="numactl is not installed")
def test_numactl_shows_one_cpu_and_its_memory() -> None:
    """The referee numactl finds the container's CPU and memory on the nodes."""
    said = _run("numactl", "--hardware")
    assert re.findall(r"^node \d+ cpus: (.+)$", said, re.MULTILINE) == ["0"]
    assert sum(map(int, re.findall(r"^node \d+ size: (\d+) MB$", said, re.MULTILINE))) == 256


@MANY
@pytest.mark.skipif(shutil.which("lstopo-no-graphics") is None, reason="hwloc is not installed")
def test_lstopo_shows_one_core() -> None:
    """The referee lstopo draws a machine of one core, one processing unit and 256 MB."""
    said = _run("lstopo-no-graphics", "--of", "console", "--no-io")
    assert (said.count("Core L#"), said.count("PU L#")) == (1, 1)
    assert said.startswith("Machine (256MB total)")


@MANY
@pytest.mark.skipif(
    not (shutil.which("htop") and shutil.which("tmux")), reason="needs htop and tmux"
)
def test_htop_draws_one_bar(tmp_path: Path) -> None:
    """The referee htop draws a bar for one CPU, and none that is offline."""
    tmux = ["tmux", "-S", str(tmp_path / "tmux"), "-f", "/dev/null"]
    command = [*LXFS, "run", "--cpus", "1", "--memory", "256M", "--", "htop"]
    home = {**os.environ, "HOME": str(tmp_path), "TERM": "xterm", "LC_ALL": "C.UTF-8"}
    subprocess.run(
        [*tmux, "new-session", "-d", "-x", "90", "-y", "24", *command], env=home, check=True
    )
    try:
        screen, until = "", time.monotonic() + 20
        while "Mem[" not in screen and time.monotonic() < until:
            time.sleep(0.2)
            shown = subprocess.run(
                [*tmux, "capture-pane", "-p"], capture_output=True, text=True, check=True
            )
            screen = shown.stdout
    finally:
        subprocess.run([*tmux, "kill-server"], check=True)
    assert re.search(r"/256M\]", screen), screen
    assert len(re.findall(r"%\]", screen)) == 1, screen
    assert "offline" not in screen
