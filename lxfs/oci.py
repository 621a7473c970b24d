"""``lxfs oci-hook``: the view in a container that runc, crun or podman is just making.

Role: the state of a container (OCI runtime specification, "State") in; the mounts made before its
program starts.
Boundary: never keeps a container from starting: what fails is a line for the runtime's log.
Threading: single-threaded: it forks.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from lxfs.attach import attach_root, check_root
from lxfs.containers import Running
from lxfs.errors import UserError


def rootfs(state: Mapping[str, object]) -> tuple[Running, str]:
    """Return the container of a state, and where its root is on the host. Raises ``UserError``."""
    try:
        pid, bundle = int(str(state["pid"])), Path(str(state["bundle"]))
        config = json.loads((bundle / "config.json").read_bytes())
        root = bundle / str(config["root"]["path"])
        return Running(pid, "oci", str(state["id"])), str(root.resolve())
    except KeyError as error:
        raise UserError(f"the state of a container was expected; it has no {error}") from error
    except (OSError, TypeError, ValueError) as error:
        raise UserError(f"the state of a container was expected: {error}") from error


def run(text: str, directory: str | None, cgroupfs: str | None = None) -> Iterator[str]:
    """Put the view into the container of a state; yield what is to be logged."""
    try:
        check_root()
        container, root = rootfs(json.loads(text))
        there = os.stat(f"/proc/{container.pid}/root/.")  # noqa: PTH116 - a link of procfs
        here = Path("/").stat()
        # Until createContainer hooks have run, what becomes its root is a directory of the host.
        before = (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)
        yield attach_root(container, root if before else "/", directory, cgroupfs)
    except (OSError, ValueError, UserError) as error:
        yield f"lxfs oci-hook: the container starts without lxfs: {error}"
