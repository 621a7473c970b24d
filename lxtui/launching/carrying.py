"""Carries out what fetches an image of another host: its secret, then the instance or the copy.

Role: what perform.py calls for a launch and for the copy of an image. Boundary: knows the backend
protocol. Threading: blocks its caller.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace

from lxtui.backend.base import Backend
from lxtui.calls.images import CopyImage
from lxtui.calls.launch import Launch, LendImage
from lxtui.errors import (
    ConflictError,
    InterruptedByUserError,
    LxtuiError,
    NotFoundError,
    OperationError,
    OperationLostError,
)
from lxtui.launching.failures import from_server
from lxtui.launching.spec import ServerImage
from lxtui.model import CLI, Kind, Operation, Ref, StateAction

Wait = Callable[[Backend, Operation], None]
"""Waits for an operation with progress; LxtuiError when it fails or is given up."""


def launch(command: Launch, backends: Mapping[str, Backend], wait: Wait) -> str:
    """Make the instance and start it; what was done, in words.

    LxtuiError when it was not made, or was made and did not start: it stays, to be looked at.
    """
    if command.trouble:
        raise OperationError(f"{command.title}: {command.trouble}")
    ref, kind = command.ref, command.kind
    backend = backends[ref.host]
    with suppress(NotFoundError):
        backend.instance(ref)  # Incus 6.0.4 says it with a constraint of its database
        raise ConflictError(f"{ref} exists already: choose another name")
    _fetch(command, backends, wait)
    if not command.spec.start:
        return f"{ref} was created; it is not started"
    try:
        wait(backend, backend.change_state(ref, StateAction.START))
    except InterruptedByUserError:
        raise
    except LxtuiError as error:
        raise OperationError(
            f"{ref} was created and did not start: {error}; it is left as it is: see "
            f"'{_log(ref, kind)}', start it again, or remove it with "
            f"'{ref.command(f'{CLI[kind]} delete')}'"
        ) from error
    return f"{ref} was created and runs"


def copy_image(command: CopyImage, backends: Mapping[str, Backend], wait: Wait) -> str:
    """Have the host fetch the image; what was done, in words."""
    ref = command.ref
    backend = backends[ref.host]
    with suppress(NotFoundError):
        backend.read(("images", ref.name), {"project": ref.project})
        raise ConflictError(f"{ref.host} has that image already")
    command = replace(command, aliases=_free(command, backend))
    if not command.image.addresses:
        raise OperationError(
            f"{command.image.host} listens on no address from which {ref.host} could fetch it: "
            f"set core.https_address there"
        )
    _fetch(command, backends, wait)
    return f"{command.title}: done"


def _free(command: CopyImage, backend: Backend) -> tuple[str, ...]:
    """Those of the image's aliases that nothing has there; none where that is not said."""
    if not command.aliases:
        return ()
    given = {"project": command.ref.project, "recursion": "1"}
    try:
        found = backend.read(("images", "aliases"), given).value
    except LxtuiError:
        return ()
    entries = found if isinstance(found, list) else []
    taken = {str(one.get("name")) for one in entries if isinstance(one, Mapping)}
    return tuple(one for one in command.aliases if one not in taken)


def _fetch(command: Launch | CopyImage, backends: Mapping[str, Backend], wait: Wait) -> None:
    """Send the request, with the secret of a private image of another host."""
    backend = backends[command.ref.host]
    if command.lends is not None:
        command = replace(command, secret=_secret(command.lends, backends))
    try:
        wait(backend, backend.request(command.request))
    except LxtuiError as error:
        image = command.spec.image if isinstance(command, Launch) else None
        refused = isinstance(error, OperationError | NotFoundError)
        if isinstance(image, ServerImage) and refused and not isinstance(error, OperationLostError):
            said = from_server(command.ref.host, backend.remote.kind, image, str(error))
            raise OperationError(said) from error
        if isinstance(error, InterruptedByUserError) or not command.secret:
            raise
        # The daemon's own words may repeat what it was asked.
        raise type(error)(str(error).replace(command.secret, "(hidden)")) from None


def _log(ref: Ref, kind: Kind) -> str:
    return ref.command(f"{CLI[kind]} info", " --show-log")


def _secret(image: Ref, backends: Mapping[str, Backend]) -> str:
    """The host's secret for one fetch of a private image."""
    if image.host not in backends:
        raise NotFoundError(f"no host is named {image.host!r}")
    operation = backends[image.host].request(LendImage(image).request)
    secret = operation.metadata.get("secret")
    if not isinstance(secret, str) or not secret:
        raise OperationError(
            f"{image.host} gave no secret for image {image.name[:12]}: "
            f"make it public, or copy it to the host first"
        )
    return secret
