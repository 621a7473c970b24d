"""The daemons' REST API as values: what is asked, and what is answered.

Role: features that need no method of their own in the protocol read documents and send requests;
the parts of a path are as people write them, whoever sends them quotes them. Boundary: pure.
Threading: values.

Source: doc/rest-api.yaml of LXD and of Incus; both serve these under ``/1.0``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

Path = tuple[str, ...]
"""The parts below ``/1.0``: ``("instances", "web1", "state")``."""


def _none() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Document:
    """What a path answered: the JSON below ``metadata``."""

    value: Any
    etag: str = ""
    """Of the state that was read; empty where the daemon gives none."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request that changes something."""

    method: str
    """``post``, ``put``, ``patch`` or ``delete``."""
    path: Path
    parameters: Mapping[str, str] = field(default_factory=_none)
    """``project``, ``target``…"""
    body: Any = None
    etag: str = ""
    """If set, the daemon refuses when what it was read from has changed since."""
