"""What is asked for to have a program, or the console, of an instance at one's own terminal.

Role: the two requests as frozen values, with their bodies and the equivalent command lines.
Boundary: pure. Threading: values.

Source: doc/rest-api.yaml of LXD and of Incus, ``POST /1.0/instances/NAME/exec`` and ``console``.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

from lxtui.api import Request
from lxtui.model import CLI, Kind, Ref

LOGIN = (
    "/bin/sh",
    "-c",
    # The first whose number is 0, in a login shell: by su, which PAM and its limits know; without
    # it by what the entry says. Descriptor 3, because the shell is to have our input.
    """if [ -r /etc/passwd ]; then
while IFS=: read -r name _ number _ _ home shell <&3; do
    [ "$number" = 0 ] || continue
    if command -v su >/dev/null 2>&1; then exec su -l "$name" 3<&-; fi
    if [ -d "$home" ]; then HOME=$home; export HOME; cd "$home"; fi
    if [ -x "$shell" ]; then exec "$shell" -l 3<&-; fi
    break
done 3</etc/passwd
fi
exec /bin/sh -l""",
)
"""What a shell runs when nothing is said: needs no more than /bin/sh in the instance."""


class Size(NamedTuple):
    """Of a terminal, in characters."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Exec:
    """A program in a running instance; without *argv* a login shell of its root."""

    ref: Ref
    argv: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    cwd: str = ""
    user: int | None = None
    group: int | None = None

    @property
    def title(self) -> str:
        """A line for people; arguments may be secrets, and are left out."""
        return f"run {self.argv[0]} in {self.ref}" if self.argv else f"shell in {self.ref}"

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line."""
        if not self.argv and not self._options:
            return _command(kind, "shell", self.ref)
        words = shlex.join(self.argv or LOGIN)
        return f"{_command(kind, 'exec', self.ref)}{self._options} -- {words}"

    def audited(self, kind: Kind) -> str:
        """The same for a journal, which keeps no arguments and no environment."""
        if not self.argv:
            return _command(kind, "shell", self.ref)
        more = " …" if len(self.argv) > 1 else ""
        return f"{_command(kind, 'exec', self.ref)} -- {shlex.quote(self.argv[0])}{more}"

    @property
    def _options(self) -> str:
        words = [f" --env {shlex.quote(f'{key}={one}')}" for key, one in self.environment.items()]
        if self.cwd:
            words.append(f" --cwd {shlex.quote(self.cwd)}")
        numbers = (("user", self.user), ("group", self.group))
        words += [f" --{name} {number}" for name, number in numbers if number is not None]
        return "".join(words)

    def request(self, size: Size | None, term: str = "") -> Request:
        """What is sent; without a *size* the program gets three streams and no terminal."""
        terminal = {"TERM": term} if size is not None and term else {}
        body: dict[str, Any] = {
            "command": list(self.argv or LOGIN),
            "wait-for-websocket": True,
            "interactive": size is not None,
            "record-output": False,
            "environment": terminal | dict(self.environment),
        }
        if size is not None:
            body |= {"width": size.width, "height": size.height}
        if self.cwd:
            body["cwd"] = self.cwd
        numbers = (("user", self.user), ("group", self.group))
        body |= {name: number for name, number in numbers if number is not None}
        path = ("instances", self.ref.name, "exec")
        return Request("post", path, {"project": self.ref.project}, body)


@dataclass(frozen=True, slots=True)
class Console:
    """The console of a running instance, on which its init writes and a getty may wait."""

    ref: Ref
    force: bool = False
    """Take it from whoever has it; LXD cannot."""

    @property
    def title(self) -> str:
        """A line for people."""
        return f"console of {self.ref}"

    def equivalent(self, kind: Kind) -> str:
        """The same with the host's own command line."""
        return _command(kind, "console", self.ref) + (" --force" if self.force else "")

    def audited(self, kind: Kind) -> str:
        """The same."""
        return self.equivalent(kind)

    def request(self, size: Size) -> Request:
        """What is sent."""
        body: dict[str, Any] = {"width": size.width, "height": size.height, "type": "console"}
        if self.force:
            body["force"] = True
        path = ("instances", self.ref.name, "console")
        return Request("post", path, {"project": self.ref.project}, body)


Asked = Exec | Console


def _command(kind: Kind, verb: str, ref: Ref) -> str:
    """The project stands before what a program's own words would follow."""
    project = "" if ref.project == "default" else f" --project {ref.project}"
    return f"{CLI[kind]} {verb}{project} {ref.host.partition('@')[0]}:{ref.name}"
