"""How an operation with channels ends, whatever its channels say.

Role: asks the daemon beside the session; it forgets an operation seconds after its end. Boundary:
the backend protocol. Threading: a thread of its own, which ends with the operation or the program.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Event as Flag
from threading import Thread
from time import monotonic

from lxtui.backend.base import Backend
from lxtui.errors import (
    HostUnreachableError,
    LxtuiError,
    NotFoundError,
    NotStartedError,
    OperationError,
)
from lxtui.format import plain
from lxtui.model import Operation

_LOOK_SECONDS = 20
"""How long one request may wait for the end; below the time that an answer may take."""
_PATIENCE = 20.0
"""Seconds without an answer after which the end counts as unknown."""


class Ending:
    """Waits for the end of *operation*."""

    def __init__(self, backend: Backend, operation: Operation) -> None:
        self._backend = backend
        self._operation = operation
        self._over = Flag()
        self._given_up = Flag()
        self._error: LxtuiError | None = None
        self._document: Mapping[str, object] = {}
        Thread(target=self._wait, name="ending", daemon=True).start()

    @property
    def over(self) -> bool:
        """Whether it has ended, or its end cannot be known."""
        return self._over.is_set()

    def give_up(self) -> None:
        """Nobody wants to know any more."""
        self._given_up.set()

    def status(self, seconds: float) -> int:
        """The program's exit status, after at most *seconds*.

        NotStartedError when the daemon could not run it, HostUnreachableError when nobody knows.
        """
        host = self._operation.host
        if not self._over.wait(seconds):
            raise HostUnreachableError(f"{host}: the connection was lost; it may still run there")
        if self._error is not None:
            raise self._error
        metadata = self._document.get("metadata")
        found = metadata.get("return") if isinstance(metadata, dict) else None
        status = found if isinstance(found, int) and 0 <= found < 256 else None  # noqa: PLR2004 a byte
        failure = self._document.get("err")
        if isinstance(failure, str) and failure:
            raise NotStartedError(f"{host}: {plain(failure)}", 1 if status is None else status)
        return status or 0

    def _wait(self) -> None:
        try:
            self._document = self._asked()
        except LxtuiError as error:
            self._error = error
        finally:
            self._over.set()

    def _asked(self) -> Mapping[str, object]:
        path = ("operations", self._operation.id)
        heard = monotonic()
        while not self._given_up.is_set():
            try:
                try:
                    found = self._backend.read((*path, "wait"), {"timeout": str(_LOOK_SECONDS)})
                except OperationError:  # Incus, when the time is over
                    found = self._backend.read(path)
            except NotFoundError as error:
                raise HostUnreachableError(
                    f"{self._operation.host}: how it has ended is not known: the daemon has "
                    f"forgotten it, or was restarted"
                ) from error
            except HostUnreachableError:
                if monotonic() - heard > _PATIENCE:
                    raise
                self._given_up.wait(1)
                continue
            heard = monotonic()
            code = found.value.get("status_code")
            if isinstance(code, int) and code >= 200:  # noqa: PLR2004 success, failure, cancelled
                document: Mapping[str, object] = found.value
                return document
        return {}
