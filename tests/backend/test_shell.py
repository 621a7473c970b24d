"""Shells, programs and consoles of real instances, at a terminal and between pipes."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread

import pytest

from lxtui import remotes
from lxtui.audit.entry import DONE, INTERRUPTED
from lxtui.audit.journal import read
from lxtui.backend.demo_data import demo_fleet
from lxtui.backend.lxd import LxdBackend
from lxtui.errors import HostUnreachableError, LxtuiError
from lxtui.model import Kind, Ref
from lxtui.terminal.asked import Console, Exec
from lxtui.terminal.interactive import run_interactive
from lxtui.terminal.keys import Detach
from tests.backend.pty_session import SECONDS, OnTerminal
from tests.lab.fixtures import MakeInstance
from tests.lab.lab import Lab

LXTUI = (sys.executable, "-m", "lxtui.cli")


@dataclass(frozen=True)
class There:
    """A running instance, and how to reach it with our own command line."""

    lab: Lab
    ref: Ref
    state: Path

    @property
    def environment(self) -> dict[str, str]:
        """The lab's remotes, and a journal of our own."""
        state = {"XDG_STATE_HOME": str(self.state), "TERM": "xterm", "PS1": "$ "}
        return {**os.environ, **self.lab.environment, **state}

    def run(self, *words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Our command line with *given* on standard input."""
        return subprocess.run(
            [*LXTUI, *words],
            input=given,
            env=self.environment,
            capture_output=True,
            check=False,
            timeout=SECONDS,
        )


@pytest.fixture(params=["lxd1", "incus1"])
def there(
    request: pytest.FixtureRequest, lab: Lab, make_instance: MakeInstance, tmp_path: Path
) -> There:
    """An instance on each kind of host in turn."""
    host = request.getfixturevalue(request.param)
    return There(lab, Ref(request.param, "default", make_instance(host)), tmp_path / "state")


@pytest.fixture
def terminal(there: There) -> Iterator[Callable[..., OnTerminal]]:
    """Starts our command line on a terminal that is hung up at the end."""
    opened: list[OnTerminal] = []

    def start(*words: str) -> OnTerminal:
        # A shell around it sees what state the terminal is left in.
        line = ' "$@"; echo status=$?; stty -a | tr ";" "\\n" | grep -w icanon; read -r rest'
        shell = ["bash", "-c", line.strip(), "sh", *LXTUI, *words]
        opened.append(OnTerminal(shell, there.environment))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def test_a_shell_at_a_terminal(there: There, terminal: Callable[..., OnTerminal]) -> None:
    """Sizes, keys, jobs, the login shell and its exit status are those of the instance."""
    shell = terminal("shell", there.ref.plain)
    shell.expect(r"[#$] ")
    assert shell.is_raw
    shell.type("echo at-$(stty size)-$TERM-$(id -u)-$HOME\r")
    shell.expect("at-24 100-xterm-0-/root")
    shell.resize(90, 30)
    shell.type("sleep 1; echo now-$(stty size)\r")
    shell.expect("now-30 90")
    prompt = r"[#$] $"  # what is typed before it may be lost in a terminal that changes its mode
    shell.expect(prompt)
    shell.type("sh -c \"echo slee''ps; exec sleep 1000\"\r")
    shell.expect("sleeps")
    shell.type("\x03")
    shell.expect(prompt)
    shell.type("echo ended-$?\r")
    shell.expect("ended-130")
    shell.expect(prompt)
    shell.type("sh -c \"echo slee''ps; exec sleep 1000\"\r")
    shell.expect("sleeps")
    shell.type("\x1a")
    shell.expect("Stopped")
    shell.expect(prompt)
    shell.type(
        "kill -9 %1; while jobs -s | grep -q .; do sleep 0.1; done; echo killed-$((40 + 2))\r"
    )
    shell.expect("killed-42")
    shell.expect(prompt)
    shell.type("printf 'a\\033[31mb'\r")
    shell.expect("a\x1b\\[31mb")  # as it is, here and nowhere else
    shell.expect(prompt)
    shell.type("exit 7\r")
    shell.expect("status=7")
    shell.expect(r"[^-]icanon")
    [entry] = read(there.state / "lxtui/audit.jsonl")
    assert (entry.result, entry.what) == (DONE, f"shell in {there.ref}")
    cli = {"lxd1": "lxc", "incus1": "incus"}[there.ref.host]
    assert entry.command == f"{cli} shell {there.ref.plain}"


def test_a_signal_gives_the_terminal_back(
    there: There, terminal: Callable[..., OnTerminal]
) -> None:
    """SIGTERM ends the session; the terminal is as it was, and the shell in there is gone."""
    shell = terminal("shell", there.ref.plain, "--", "sh", "-c", "echo be''gun; exec sleep 4321")
    shell.expect("begun")
    assert shell.is_raw
    children = Path(f"/proc/{shell.pid}/task/{shell.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGTERM)
    shell.expect("status=143")
    shell.expect(r"[^-]icanon")
    [entry] = read(there.state / "lxtui/audit.jsonl")
    assert entry.result == INTERRUPTED
    assert "4321" not in entry.command  # arguments may be secrets


def test_between_pipes(there: There) -> None:
    """Input, output and errors are three streams, byte for byte; the status is the program's."""
    given = os.urandom(2_000_000)
    script = "cat; echo trouble >&2; exit 9"
    done = there.run("shell", there.ref.plain, "--", "sh", "-c", script, given=given)
    assert (done.returncode, done.stderr) == (9, b"trouble\n")
    assert done.stdout == given
    done = there.run("shell", there.ref.plain, "--", "no-such-program")
    assert done.returncode == 127
    assert b"not found" in done.stderr
    words = ("--env", "COLOUR=blue", "--cwd", "/tmp", "--user", "1000")
    script = "echo $COLOUR $(pwd) $(id -u)"
    done = there.run("shell", there.ref.plain, *words, "--json", "--", "sh", "-c", script)
    answer = json.loads(done.stdout)
    assert (answer["status"], answer["stdout"], answer["stderr"]) == (0, "blue /tmp 1000\n", "")
    done = there.run("--read-only", "shell", there.ref.plain, "--", "true")
    assert done.returncode == 1
    assert b"is read-only" in done.stderr


def test_signals_go_to_the_program(there: There) -> None:
    """What is sent to us arrives in the instance; output that nobody reads ends the program."""
    script = "trap 'echo got it; exit 5' INT; echo ready; while :; do sleep 0.1; done"
    words = [*LXTUI, "shell", there.ref.plain, "--", "sh", "-c", script]
    with subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=there.environment
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"ready\n"
        program.send_signal(signal.SIGINT)
        assert program.stdout.read() == b"got it\n"
        assert program.wait(SECONDS) == 5
    words[-1] = "exec yes lxtui-unread"
    with subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=there.environment,
    ) as program:
        assert program.stdout is not None
        program.stdout.readline()
        program.stdout.close()
        assert program.wait(SECONDS) == 1
    until = time.monotonic() + SECONDS
    look = ("shell", there.ref.plain, "--", "ps", "-e", "-o", "args")
    while b"lxtui-unread" in there.run(*look).stdout:
        assert time.monotonic() < until, "it writes on, and nobody reads"


def test_a_connection_that_is_cut(there: There) -> None:
    """The terminal is given back at once, and why is said; the daemon could not be asked."""
    known = remotes.load(there.lab.environment, Path("/nonexistent")).named(there.ref.host)
    master, slave = os.openpty()
    before = _modes(slave)
    with closing(_Link(known.address)) as link:
        backend = LxdBackend(replace(known, address=link.address))
        asked = Exec(there.ref, ("sh", "-c", "echo begun; exec sleep 1000"))

        def cut() -> None:
            shown = b""
            while b"begun" not in shown:
                shown += os.read(master, 4096)
            link.close()

        Thread(target=cut, daemon=True).start()
        with closing(backend), pytest.raises(LxtuiError) as caught:
            run_interactive(asked, backend, stdin=slave, stdout=slave)
    assert isinstance(caught.value, HostUnreachableError)
    assert _modes(slave) == before
    os.close(master)
    os.close(slave)


def test_a_console_is_left_by_two_keys(there: There, terminal: Callable[..., OnTerminal]) -> None:
    """One has it, the next is told; Ctrl-a q leads back with the terminal as it was."""
    first = terminal("console", there.ref.plain)
    first.expect("leaves the console")
    there.run("shell", there.ref.plain, "--", "sh", "-c", "echo from-inside > /dev/console")
    first.expect("from-inside")
    second = terminal("console", there.ref.plain)
    second.expect("status=1")
    first.type("\x01")
    first.type("q")
    first.expect("detached")
    first.expect("status=0")
    first.expect(r"[^-]icanon")


def test_a_console_is_taken_from_somebody_else(
    there: There, terminal: Callable[..., OnTerminal]
) -> None:
    """By --force on Incus: the first is told that it is gone, with its terminal as it was; what is
    written then comes to the second. LXD cannot, and says so at once; the first keeps it.
    """
    name, incus = there.ref.plain, there.ref.host.startswith("incus")
    first = terminal("console", name)
    first.expect("leaves the console")
    write = ("shell", name, "--", "sh", "-c", "echo from-ins''ide-$0 > /dev/console")
    there.run(*write, "one")
    first.expect("from-inside-one")
    refused = terminal("console", name)
    said = refused.expect("status=1")
    assert ("lxtui console --force" in said) is incus
    second = terminal("console", "--force", name)
    if not incus:
        assert "LXD lets nobody take a console" in second.expect("status=2")
        there.run(*write, "two")
        first.expect("from-inside-two")
        return
    second.expect("leaves the console")
    assert "somebody else has taken the console" in " ".join(first.expect("status=1").split())
    first.expect(r"[^-]icanon")
    there.run(*write, "two")
    second.expect("from-inside-two")
    second.type("\x01q")
    second.expect("status=0")


def test_a_console_ends_with_its_instance(
    there: There, terminal: Callable[..., OnTerminal]
) -> None:
    """Without a complaint: nobody has taken it."""
    if said := _ended_with_its_instance(there, terminal):
        # LXD 5.0.2 closes a console's websocket while it may be writing to it, and dies of that.
        assert "concurrent write to websocket connection" in said
        print(f"{said}\nonce more", file=sys.stderr)
        assert not _ended_with_its_instance(there, terminal)


def _ended_with_its_instance(there: There, terminal: Callable[..., OnTerminal]) -> str:
    """Why the daemon has died of it; nothing when all was as it should be."""
    there.run("start", there.ref.plain)
    console = terminal("console", there.ref.plain)
    console.expect("leaves the console")
    there.run("shell", there.ref.plain, "--", "sh", "-c", "echo from-inside > /dev/console")
    console.expect("from-inside")
    there.run("stop", "--force", there.ref.plain)
    shown = console.expect(r"status=\d")
    if said := there.lab.host(there.ref.host).revive():
        return said
    assert "status=0" in shown
    assert "lxtui: " not in shown
    return ""


def test_only_the_two_keys_are_taken() -> None:
    """Everything but Ctrl-a q is sent as it was typed, however it is cut into pieces."""
    keys = Detach()
    assert [keys(piece) for piece in (b"a\x01", b"\x01q", b"x")] == [b"a", b"\x01\x01q", b"x"]
    assert not keys.left
    assert keys(b"y\x01") + keys(b"qz") == b"y"
    assert keys.left


def test_commands_say_what_runs_and_journals_do_not() -> None:
    """The equivalent line can be run as it is; what is written down has no arguments."""
    ref = Ref("oslo", "web", "one")
    asked = Exec(ref, ("mysql", "-ps3cret", "a b"), {"TOKEN": "s3cret"}, "/srv", 5)
    assert asked.equivalent(Kind.LXD) == (
        "lxc exec --project web oslo:one --env TOKEN=s3cret --cwd /srv --user 5"
        " -- mysql -ps3cret 'a b'"
    )
    assert asked.audited(Kind.INCUS) == "incus exec --project web oslo:one -- mysql …"
    assert Exec(ref).equivalent(Kind.INCUS) == "incus shell --project web oslo:one"
    assert Console(ref).equivalent(Kind.LXD) == "lxc console --project web oslo:one"


def test_the_demo_has_no_shells() -> None:
    """It says so, in one sentence."""
    backend = demo_fleet(tempo=0.0).backends()[0]
    running = next(one for one in backend.instances() if one.running)
    with pytest.raises(LxtuiError, match="demo fleet"):
        run_interactive(Exec(running.ref), backend)


def _modes(descriptor: int) -> list[object]:
    import termios

    return termios.tcgetattr(descriptor)


class _Link:
    """A cable to a daemon: what is said on it is not understood, and it can be cut."""

    def __init__(self, address: str) -> None:
        host, _, port = address.removeprefix("https://").rpartition(":")
        self._there = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads: list[Thread] = []
        self.address = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        self._begin(self._accept)

    def close(self) -> None:
        """Cut it."""
        for one in [self._listener, *self._open]:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(SECONDS)
        for one in [self._listener, *self._open]:
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                ours, _ = self._listener.accept()
                theirs = socket.create_connection(self._there)
                self._open += [ours, theirs]
                for pair in ((ours, theirs), (theirs, ours)):
                    self._begin(self._carry, *pair)

    def _begin(self, target: Callable[..., None], *arguments: socket.socket) -> None:
        thread = Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    @staticmethod
    def _carry(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
