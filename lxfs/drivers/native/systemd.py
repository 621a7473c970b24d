"""The little of systemd's protocol that a service needs to say.

Role: readiness, and descriptors for its store (sd_notify(3), sd_listen_fds(3)): datagrams to the
socket that the environment names.
Boundary: does nothing where no service manager is.
Threading: none.
"""

import contextlib
import os
import time


def notify(state: str, descriptors: tuple[int, ...] = ()) -> None:
    """Tell the service manager something; whether it listens is its own affair."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    import socket  # noqa: PLC0415 - without a service manager it is not needed

    if address.startswith("@"):
        address = f"\0{address[1:]}"
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as there,
    ):
        there.connect(address)
        socket.send_fds(there, [state.encode()], list(descriptors))


def reloading() -> None:
    """Say that new code is on its way in; ``READY=1`` says that this is over."""
    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notify(f"RELOADING=1\nMONOTONIC_USEC={now}")


def store(name: str, descriptor: int) -> None:
    """Give a descriptor to the service manager, which hands it to our successor.

    In the place of what it has by that name: that may be of a mount that is gone.
    """
    notify(f"FDSTOREREMOVE=1\nFDNAME={name}")
    notify(f"FDSTORE=1\nFDNAME={name}", (descriptor,))


def stored() -> dict[str, int]:
    """Return by name the descriptors that the service manager has kept for us."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return {}
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    return {name: 3 + number for number, name in enumerate(names) if name}
