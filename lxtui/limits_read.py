"""Reading what a form of limits needs.

Role: an instance, its profiles and its pool, by one reader → Limits with the document they are of.
Boundary: gets a reader; changes nothing. Threading: waits for the host.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lxtui.api import Document, Path
from lxtui.editing.documents import Editable, shown
from lxtui.errors import LxtuiError
from lxtui.limits import Limits, limits_of, root_pool

Read = Callable[[Path, Mapping[str, str]], Document]


def read_limits(what: Editable, read: Read) -> tuple[Limits, Document]:
    """The limits and the instance's document; LxtuiError when it cannot be read.

    A profile or a pool that may not be read is as one that says nothing.
    """
    document = read(what.path, what.parameters)

    def tolerated(path: Path) -> Any:
        try:
            return read(path, what.parameters).value
        except LxtuiError:
            return None

    names = shown(what, document.value)["profiles"]
    profiles = [(name, tolerated(("profiles", name))) for name in names]
    pool = root_pool(document.value)
    found = tolerated(("storage-pools", pool)) if pool else None
    driver = str(found.get("driver", "")) if isinstance(found, Mapping) else ""
    return limits_of(what, document.value, profiles, driver), document
