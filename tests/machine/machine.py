"""A running machine: booted, given commands, switched off.

Role: the QEMU process and the line to the agent inside. Boundary: no network; what is written is
in a temporary directory. Threading: one caller; a timer's thread ends a machine that hangs.

The emulator dies with this process (PR_SET_PDEATHSIG) and at the latest when its time is up.
"""

import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import image, recipe
from .errors import MachineError, MachineUnavailable

LIFE_SECONDS = 1800
BOOT_SECONDS = 180
GRACE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Done:
    """A command's end."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str


class Machine:
    """The line to a machine that is up."""

    def __init__(self, process: subprocess.Popen[bytes], line: socket.socket, log: Path) -> None:
        self._process = process
        self._line = line
        self._log = log
        self._pending = b""
        self.seconds_to_boot = 0.0

    def __call__(
        self,
        *argv: str,
        check: bool = True,
        stdin: str = "",
        timeout: float = 60,
        env: dict[str, str] | None = None,
    ) -> Done:
        """Run ARGV inside, in the checkout, to its end. Raises ``MachineError`` if it fails."""
        request = {
            "argv": argv,
            "cwd": recipe.CHECKOUT,
            "env": env or {},
            "stdin": stdin,
            "timeout": timeout,
        }
        self._line.settimeout(GRACE_SECONDS)
        self._send(request)
        answer = self.receive(timeout + GRACE_SECONDS)
        done = Done(argv, answer["status"], answer["stdout"], answer["stderr"])
        if check and done.status:
            raise MachineError(
                f"{' '.join(argv)}: exit status {done.status}: {(done.stderr or done.stdout)}"
            )
        return done

    def reads(self, path: str) -> str:
        """Return a file of the machine, as its own processes see it."""
        return self("cat", path).stdout

    def shell(self, script: str, *, check: bool = True, timeout: float = 60) -> str:
        """Run a shell script inside and return what it printed."""
        return self("sh", "-c", script, check=check, timeout=timeout).stdout

    def _send(self, request: dict[str, Any]) -> None:
        try:
            self._line.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise self._broken(str(error)) from error

    def receive(self, seconds: float) -> dict[str, Any]:
        """Return the next answer. Raises ``MachineError`` with the console's last words."""
        until = time.monotonic() + seconds
        while b"\n" not in self._pending:
            self._line.settimeout(max(0.01, until - time.monotonic()))
            try:
                more = self._line.recv(1 << 20)
            except TimeoutError as error:
                raise self._broken(f"no answer in {seconds:.0f} s") from error
            except OSError as error:
                raise self._broken(str(error)) from error
            if not more:
                raise self._broken("the emulator has ended")
            self._pending += more
        text, self._pending = self._pending.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(text)
        return answer

    def _broken(self, why: str) -> MachineError:
        # What went astray must not be taken for the answer to a later question.
        self._process.kill()
        last = self._log.read_text(errors="replace")[-2000:] if self._log.exists() else ""
        return MachineError(f"the machine is lost: {why}; its console ends with:\n{last}")

    def power_off(self) -> bool:
        """Switch off in order; False if it had to be cut off."""
        with contextlib.suppress(MachineError):
            self("systemctl", "poweroff", "--force", "--no-block", check=False)
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            return False
        return self._process.returncode == 0


@contextmanager
def booted(version: str, *, life: float = LIFE_SECONDS) -> Iterator[Machine]:
    """Boot the machine with the kernel of a version, and switch it off at the end.

    After ``life`` seconds it is cut off, whatever it does. Raises ``MachineUnavailable``.
    """
    if shutil.which("qemu-system-x86_64") is None:
        raise MachineUnavailable("QEMU is not installed (packaging/test-packages.sh)")
    disks = image.ensure(recipe.current())
    with tempfile.TemporaryDirectory(prefix="lxtui-machine-") as work:
        checkout, line, log = Path(work, "checkout"), Path(work, "line"), Path(work, "console")
        image.checkout(checkout)
        more = [
            *("-serial", f"file:{log}", "-device", "virtio-serial-pci"),
            *("-chardev", f"socket,id=agent,path={line},server=on,wait=off"),
            *("-device", f"virtserialport,chardev=agent,name={recipe.AGENT_PORT}"),
        ]
        command = recipe.qemu(
            disks.kernel(version), disks.initrd(version), disks.root, checkout, more
        )
        began = time.monotonic()
        complaints = Path(work, "complaints")
        with complaints.open("wb") as sink:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
            )
        watchdog = threading.Timer(life, process.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                _connect(connection, line, process, complaints)
                machine = Machine(process, connection, log)
                machine.receive(BOOT_SECONDS)
                machine.seconds_to_boot = time.monotonic() - began
                yield machine
                machine.power_off()
        finally:
            watchdog.cancel()
            process.kill()
            process.wait()


def _connect(
    connection: socket.socket, path: Path, process: subprocess.Popen[bytes], complaints: Path
) -> None:
    until = time.monotonic() + 10
    while True:
        try:
            connection.connect(str(path))
        except OSError as error:
            if process.poll() is not None:
                said = complaints.read_text(errors="replace").strip()
                raise MachineError(f"QEMU ended: {said}") from error
            if time.monotonic() > until:
                raise MachineError("QEMU does not listen") from error
            time.sleep(0.02)
        else:
            return
