"""``lxfs explain`` of real containers on this machine's cgroups."""

import json
import os
import subprocess
from collections.abc import Iterator

import pytest

from lxfs import parse
from lxfs.table import FILES
from tests.drivers.conftest import LXFS, descendants, lxfs


@pytest.fixture(scope="module")
def pid() -> Iterator[int]:
    """A process in a container of 64 MiB and one CPU, without a mount of our own."""
    command = [*LXFS, "run", "--memory", "64M", "--cpus", "1", "--", "sh", "-c", "echo; sleep 60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        try:
            assert run.stdout is not None
            run.stdout.readline()
            yield max(descendants(run.pid))
        finally:
            run.terminate()


@pytest.mark.parametrize("file", [file.path for file in FILES])
def test_every_file_of_a_container_is_explained(pid: int, file: str) -> None:
    """Each served file is explained without a mount, from kernel files that are there."""
    done = lxfs("explain", "--json", str(pid), f"/{file}")
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert said["container"]["cgroups"]["memory"]["path"].rpartition("/")[2].startswith("lxfs-run-")
    assert all(line["formula"] for line in said["lines"])
    if file == "proc/meminfo":
        (limit, host) = said["lines"][0]["sources"]
        assert said["lines"][0]["line"] == "MemTotal:          65536 kB"
        assert (limit["values"], limit["own"]) == ({"": "67108864"}, True)
        assert host["values"]["MemTotal"].endswith(" kB")


def test_it_agrees_with_what_is_read(pid: int) -> None:
    """The lines that do not change are those that the container itself reads."""
    inside = ["nsenter", "-t", str(pid), "-p", "-m", "cat", "/proc/meminfo"]
    read = subprocess.run(inside, capture_output=True, check=True).stdout
    said = json.loads(lxfs("explain", "--json", str(pid)).stdout)
    explained = "".join(f"{line['line']}\n" for line in said["lines"])
    found, expected = parse.meminfo(explained.encode()), parse.meminfo(read)
    assert found.keys() == expected.keys()
    for name in (b"MemTotal", b"SwapTotal", b"CommitLimit", b"Hugepagesize", b"Buffers"):
        assert found[name] == expected[name]


def test_the_host_has_nothing_to_explain() -> None:
    """A process of our own pid namespace is shown the host's file, which is said."""
    done = lxfs("explain", str(os.getpid()), "stat")
    assert (done.returncode, done.stderr) == (0, "")
    assert "shown the host's file" in done.stdout


def test_mistakes_end_in_one_line(pid: int) -> None:
    """A file that there is not, and a process that there is no more."""
    done = lxfs("explain", str(pid), "kcore")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    done = lxfs("explain", str(gone.pid))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"lxfs explain: there is no process {gone.pid}\n"
