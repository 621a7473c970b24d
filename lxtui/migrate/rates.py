"""How fast copies between two hosts went.

Role: remembers the latest rates by pair of hosts and transport, for the next plan's estimate.
Boundary: one small file beside the journals, 0600; what cannot be read is as if nothing was
measured, what cannot be written is lost: an estimate is worth no failure. Threading: functions; of
two that write at once one may be lost.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
from contextlib import suppress
from pathlib import Path

from lxtui.migrate.options import Transport
from lxtui.migrate.report import Measured

_FILE = "rates.json"
_LATEST = 9
"""Rates kept for each pair and transport."""
_PAIRS = 200
_MOST_BYTES = 1024 * 1024
_WORTH_BYTES = 16 * 1024 * 1024
"""Of less, the handshake is measured and not the link."""


def record(folder: Path, source: str, target: str, measured: Measured) -> None:
    """Remember a copy from host *source* to host *target*."""
    if measured.size < _WORTH_BYTES or measured.seconds <= 0:
        return
    known = _read(folder)
    key = _key(source, target, measured.transport)
    latest = [*known.pop(key, []), round(measured.size / measured.seconds)][-_LATEST:]
    kept = dict([*known.items(), (key, latest)][-_PAIRS:])
    with suppress(OSError):
        descriptor, name = tempfile.mkstemp(prefix=f"{_FILE}.", dir=folder)  # which is 0600
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(kept, file)
            Path(name).replace(folder / _FILE)
        except BaseException:
            Path(name).unlink()
            raise


def typical(folder: Path, source: str, target: str, transport: Transport) -> int | None:
    """Bytes a second, the median of the latest; None where nothing was measured."""
    latest = _read(folder).get(_key(source, target, transport))
    return round(statistics.median(latest)) if latest else None


def _key(source: str, target: str, transport: Transport) -> str:
    return f"{source} {target} {transport}"


def _read(folder: Path) -> dict[str, list[int]]:
    try:
        with (folder / _FILE).open("rb") as file:
            document = json.loads(file.read(_MOST_BYTES))
        return {
            str(key): [rate for rate in rates if type(rate) is int and rate > 0][-_LATEST:]
            for key, rates in document.items()
        }
    except (OSError, ValueError, AttributeError, TypeError, RecursionError):
        return {}
