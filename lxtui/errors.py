"""What can go wrong, as one sentence that a person can act on.

Role: the only exceptions that cross lxtui's module boundaries. Each message is one line, says
what failed and what to do next, and never holds a secret. Boundary: imports nothing of ours.
Threading: values.
"""

from __future__ import annotations

READ_ONLY = (
    "is read-only: nothing was changed; leave out --read-only, or take its name out of 'read_only' "
    "in lxtui's config.yml"
)


class LxtuiError(Exception):
    """A failure with a sentence for the user; ``str(error)`` is that sentence."""


class UsageError(LxtuiError):
    """What was asked cannot be understood: exit status 2."""


class HostUnreachableError(LxtuiError):
    """Nobody answers, or the answer stopped in the middle."""


class NotTrustedError(LxtuiError):
    """The host answers, but does not accept our client certificate."""


class UnsupportedError(LxtuiError):
    """The host logs its users in by a way that lxtui does not know."""


class ReadOnlyError(LxtuiError):
    """The host is only to be looked at, by the user's own settings."""

    def __init__(self, host: str) -> None:
        super().__init__(f"{host} {READ_ONLY}")


class CertificateError(LxtuiError):
    """The host shows another certificate than the pinned one, or none is pinned."""


class NotFoundError(LxtuiError):
    """No such host, instance, snapshot, pool or profile."""


class ConflictError(LxtuiError):
    """The name is taken, or the object is busy."""


class OperationError(LxtuiError):
    """The host took the request and then failed at it; the message is the host's own."""


class NoSuchFileError(OperationError):
    """The instance has no such file, or no longer."""


class OperationLostError(OperationError):
    """The host was restarted and knows the request no more: it may have been carried out."""


class NotStartedError(OperationError):
    """The daemon could not run it; ``status`` is what a shell would say (127: not found)."""

    def __init__(self, why: str, status: int) -> None:
        super().__init__(why)
        self.status = status


class InterruptedByUserError(LxtuiError):
    """The user asked to stop, and everything was put back before this was raised."""
