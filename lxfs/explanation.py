"""What ``lxfs explain`` says: values and their text.

Role: a file's lines, each with its formula and the kernel files that it was made of.
Boundary: pure.
Threading: immutable.
"""

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from itertools import groupby

from lxfs import parse
from lxfs.model import Container
from lxfs.origin import name_of
from lxfs.text import plain

_WIDTH = 100
_INDENT = "    "
_SHORT = 4
"""Lines of a file that is said whole."""
_V1_BYTES = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")


@dataclass(frozen=True, slots=True)
class Source:
    """One kernel file that a figure was made of.

    ``cgroup`` is whose file it is, ``None`` for one of the host's; ``own`` tells the container's
    own from one above it. ``values`` are in the file's own words and units, by the names of its
    lines, or under ``""`` all of it. ``note`` says why it was this one, or why there is none.
    """

    file: str
    values: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    cgroup: str | None = None
    own: bool = False


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of the file, one after the other, that are made alike."""

    lines: tuple[str, ...]
    formula: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A file as one process is shown it. Without a container it is the host's own."""

    file: str
    pid: int
    by_cgroup: bool
    container: Container | None = None
    cgroups: Mapping[str, tuple[int, str]] | None = None
    remembers: bool = False
    groups: tuple[Lines, ...] = ()

    def as_json(self) -> str:
        """Return it for machines."""
        container = self.container
        known = container and {
            "pid_namespace": container.namespace,
            "init": container.init,
            "identity": "cgroup" if self.by_cgroup else "pidns",
            "cgroups": {
                name: {"version": version, "path": path}
                for name, (version, path) in (self.cgroups or {}).items()
            },
        }
        lines = [
            {"line": line, "formula": group.formula, "sources": [asdict(s) for s in group.sources]}
            for group in self.groups
            for line in group.lines
        ]
        whole = {"file": self.file, "pid": self.pid, "container": known, "lines": lines}
        return json.dumps(whole, indent=2)

    def as_text(self) -> str:
        """Return it for people, in 100 columns."""
        said = [f"{self.file} as process {self.pid} is shown it"]
        container = self.container
        if container is not None:
            how = "cgroup" if self.by_cgroup else "pidns"
            said.append(
                f"container: pid namespace {container.namespace}, init {container.init};"
                f" identity by {how}"
            )
        elif self.groups:
            said.append("It is in the host's own pid namespace, and sees every cgroup.")
        else:
            said.append(
                "It is in the host's own pid namespace, and shown the host's file as it is."
            )
        cgroups = (self.cgroups or {}).items()
        for (version, path), some in groupby(
            sorted(cgroups, key=lambda item: item[1]), lambda item: item[1]
        ):
            names = ", ".join(name for name, _ in some)
            said += _wrapped(f"{names}: cgroup v{version} {path}", "")
        if self.remembers:
            said.append("Without history, as for a first reader; a mount goes on from its last.")
        for group in self.groups:
            said += ["", *map(plain, group.lines)]
            said += _wrapped(group.formula, _INDENT)
            for source in group.sources:
                said += _wrapped(_sentence(source), _INDENT)
        return "\n".join(said) + "\n"


def _sentence(source: Source) -> str:
    text = source.file
    if source.cgroup is not None and not source.own:
        text += f" of {source.cgroup}"
    if "" in source.values:
        text += f" = {source.values['']}"
    elif source.values:
        text += ": " + ", ".join(f"{name} {value}" for name, value in source.values.items())
    if source.note:
        text += f" ({source.note})" if source.values else f": {source.note}"
    return text


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        plain(text),
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + _INDENT,
        break_on_hyphens=False,
    )


def values_of(text: bytes, names: tuple[str, ...]) -> dict[str, str]:
    """Return the lines of these names, or all of a short file; a long one has no value."""
    lines = text.decode(errors="replace").splitlines()
    if not names:
        return {"": "; ".join(map(str.strip, lines))} if len(lines) <= _SHORT else {}
    found = {name: line for line in lines if (name := name_of(line)) in names}
    return {
        name: found[name].strip().removeprefix(name).lstrip(":").strip()
        if name in found
        else "(no such line)"
        for name in names
    }


def limit_of(file: str, text: bytes) -> int | Fraction | None:
    """Return the limit that a kernel's file states, ``None`` for none. Raises ``ValueError``."""
    if file == "cpu.max":
        return parse.cpu_max(text)
    return parse.v1_limit(text) if file in _V1_BYTES else parse.integer_or_max(text)


def least(file: str, limits: Sequence[tuple[int | Fraction, Source]]) -> Source:
    """Return the source of the smallest of some limits of one file, with how many there are."""
    if not limits:
        return Source(file, note="no limit in this cgroup or above it")
    _, source = min(limits, key=lambda found: found[0])
    count = len(limits)
    return replace(source, note=f"the smallest of {count}" if count > 1 else "the only limit")
