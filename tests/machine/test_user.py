"""``lxfs run`` without root, for a user of the machine, in cgroups that systemd delegates."""

import re

import pytest

from .machine import Machine

USER = "lx"
LXFS = ("python3", "-m", "lxfs.cli")
RUN = (*LXFS, "run", "--memory", "256M", "--cpus", "1", "--")
AS_USER = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups")
SERVICE = ("systemd-run", f"--uid={USER}", "--pipe", "--wait", "--quiet", "--collect")
DELEGATED = (*SERVICE, "-p", "Delegate=yes", "--working-directory=/checkout")


@pytest.fixture(scope="module")
def user(machine: Machine) -> Machine:
    """The machine with a user, whose own systemd runs as after a login."""
    machine("useradd", "--create-home", USER)
    uid = machine("id", "-u", USER).stdout.strip()
    machine("systemctl", "start", f"user@{uid}.service", timeout=120)
    return machine


@pytest.mark.parametrize("begin", [DELEGATED, AS_USER], ids=["service", "own scope"])
def test_free_shows_the_limit_to_a_user(user: Machine, begin: tuple[str, ...]) -> None:
    """In a delegated service, and begun outside of one, `free` has 256 MiB and there is one CPU."""
    script = "free -m; getconf _NPROCESSORS_ONLN; cat /proc/loadavg; id -un; exit 7"
    done = user(*begin, *RUN, "sh", "-c", script, check=False)
    memory, swap, cpus, load, name = done.stdout.splitlines()[1:]
    assert memory.split()[1] == "256"
    assert (cpus, name, done.status) == ("1", USER, 7)
    assert load.startswith("0.00 0.00 0.00 1/")
    assert swap.startswith("Swap:")


def test_the_limit_is_in_force_for_a_user(user: Machine) -> None:
    """What takes more memory than its user has asked for is killed; his own rights it keeps."""
    hog = "x = bytearray(200 << 20)"
    limits = ("--memory", "64M", "--swap", "0", "--")
    done = user(*AS_USER, *LXFS, "run", *limits, "python3", "-c", hog, check=False)
    assert (done.status, done.stdout) == (137, ""), done.stderr
    rights = user(*AS_USER, *RUN, "grep", "CapEff", "/proc/self/status").stdout
    assert re.fullmatch(r"CapEff:\s0+\n", rights)


@pytest.mark.newest_kernel
def test_a_run_does_not_let_its_user_out(user: Machine) -> None:
    """A run in a user's run is refused: systemd's other cgroups are outside of its limits."""
    done = user(*AS_USER, *RUN, *LXFS, "run", "--memory", "512M", "--", "free", check=False)
    assert (done.status, done.stdout) == (1, "")
    assert "other processes are in" in done.stderr


@pytest.mark.newest_kernel
def test_a_user_leaves_nothing(user: Machine) -> None:
    """A user's run leaves no cgroup, no mount and no process, in a cgroup without systemd either.

    The cgroup is left as it was found: without controllers for its children.
    """
    cgroup = "/sys/fs/cgroup/of-a-user"
    files = " ".join(f"{cgroup}{name}" for name in ("", "/cgroup.procs", "/cgroup.subtree_control"))
    user.shell(f"mkdir {cgroup} && chown {USER} {files}")
    before = user.shell("cat /proc/mounts; pgrep -f 'lxfs[.]'", check=False)
    enter = f'echo 0 > {cgroup}/cgroup.procs; exec "$0" "$@"'
    # With the user's systemd away: else a cgroup that systemd has marked is preferred.
    run = ("env", "XDG_RUNTIME_DIR=/none", *RUN, "free", "-m")
    done = user("sh", "-c", enter, *AS_USER, *run)
    assert done.stdout.splitlines()[1].split()[1] == "256"
    assert user.reads(f"{cgroup}/cgroup.subtree_control").strip() == ""
    user.shell(f"rmdir {cgroup}")  # which fails where there is one below it
    assert user.shell("cat /proc/mounts; pgrep -f 'lxfs[.]'", check=False) == before
    assert user.shell("find /sys/fs/cgroup -name 'lxfs-run-*-*'") == ""


@pytest.mark.newest_kernel
def test_what_is_missing_is_said_at_once(user: Machine) -> None:
    """Without namespaces, device and delegation, each is named, with what to do about it."""
    close = (
        "chmod 600 /dev/fuse; echo 0 > /proc/sys/user/max_user_namespaces; "
        '"$0" "$@"; status=$?; '
        "echo 5000 > /proc/sys/user/max_user_namespaces; chmod 666 /dev/fuse; exit $status"
    )
    done = user("sh", "-c", close, *AS_USER, *RUN, "free", check=False)
    assert (done.status, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    for said in (
        "/dev/fuse cannot be opened (Permission denied): its mode is crw-------",
        "'sysctl user.max_user_namespaces=15000'",
        "is not this user's: begin the command with 'systemd-run --user --scope",
    ):
        assert said in done.stderr


@pytest.mark.newest_kernel
def test_a_controller_that_is_not_delegated(user: Machine) -> None:
    """The CPUs to run on are not a user's to choose where systemd keeps cpuset: it says how to."""
    done = user(*AS_USER, *LXFS, "run", "--cpuset", "0", "--", "nproc", check=False)
    assert (done.status, done.stdout) == (1, "")
    assert "without cpuset: 'systemctl edit user@.service'" in done.stderr
