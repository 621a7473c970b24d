"""What a shell may put in for a word: ``lxtui complete KIND WORD``, called by the completions.

Role: names of hosts, instances, moves, views and columns that begin with a word, one a line;
nothing at all when they cannot be had. Boundary: reads files; only for ``HOST:`` is that one host
asked, and not for long. Names with signs that a shell would act on are left out, whoever gave them.
Threading: a thread asks the host, and is left behind when it takes too long.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Thread

from lxtui.errors import LxtuiError

_SECONDS = 3.0
"""For which a person waits after the tab key."""
_HARMLESS = re.compile(r"\w[\w.@-]*:?[\w.@%,-]*", re.ASCII)
Names = Callable[[str, Mapping[str, str], Path], Iterable[str]]


def main(words: Sequence[str]) -> int:
    """Print what may stand for the second word; the first says of what kind."""
    kind, word, *_ = [*words, "", ""]
    for name in candidates(kind, word, os.environ, Path.home()):
        print(name)
    return 0


def candidates(kind: str, word: str, environ: Mapping[str, str], home: Path) -> list[str]:
    """The names of that kind that begin with *word*, sorted."""
    names = KINDS.get(kind)
    if names is None:
        return []
    try:
        found = {name for name in names(word, environ, home) if name.startswith(word)}
    except (LxtuiError, OSError):
        return []
    return sorted(name for name in found if _HARMLESS.fullmatch(name))


def _hosts(_word: str, environ: Mapping[str, str], home: Path) -> Iterator[str]:
    from lxtui import remotes  # noqa: PLC0415 not every kind needs what costs time to load

    return (one.name for one in remotes.load(environ, home).remotes)


def _instances(word: str, environ: Mapping[str, str], home: Path) -> Iterator[str]:
    """Hosts with their colon; behind one, what is on it."""
    host, colon, _ = word.partition(":")
    if not colon:
        return (f"{name}:" for name in _hosts(word, environ, home))
    return (f"{host}:{name}" for name in _asked(host, environ, home))


def _asked(host: str, environ: Mapping[str, str], home: Path) -> list[str]:
    from lxtui import remotes  # noqa: PLC0415 as above
    from lxtui.backend.lxd import LxdBackend  # noqa: PLC0415 the same

    remote = remotes.load(environ, home).named(host)
    found: list[str] = []

    def ask() -> None:
        backend = LxdBackend(remote)
        try:
            answer = backend.read(("instances",), {"project": remote.project})
            found.extend(str(url).rpartition("/")[2].partition("?")[0] for url in answer.value)
        except (LxtuiError, TypeError):
            return  # a word that cannot be completed is no error
        finally:
            backend.close()

    asking = Thread(target=ask, daemon=True)
    asking.start()
    asking.join(_SECONDS)
    return list(found)


def _moves(_word: str, environ: Mapping[str, str], home: Path) -> Iterator[str]:
    from lxtui.migrate.journal import default_folder  # noqa: PLC0415 as above
    from lxtui.migrate.recovery import unfinished  # noqa: PLC0415 as above

    found, _errors = unfinished(default_folder(environ, home))
    return (record.header.token for record in found)


def _views(_word: str, environ: Mapping[str, str], home: Path) -> Iterator[str]:
    from lxtui.saved_views import SavedViews, default_path  # noqa: PLC0415 as above

    return iter(SavedViews(default_path(environ, home)).names)


def _columns(word: str, _environ: Mapping[str, str], _home: Path) -> Iterator[str]:
    """Of a list, the last one."""
    from lxtui.columns import BY_ID  # noqa: PLC0415 as above

    before, comma, _ = word.rpartition(",")
    return (f"{before}{comma}{name}" for name in BY_ID)


KINDS: Mapping[str, Names] = {
    "hosts": _hosts,
    "instances": _instances,
    "moves": _moves,
    "views": _views,
    "columns": _columns,
}
