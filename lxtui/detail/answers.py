"""What the detail screens ask, asked of the backends.

Role: one method for each page's question. Boundary: backends below; a look into a container of this
machine is a program of its own (inside_look.py), so that it can neither hold up nor end this one.
Threading: methods block; any thread but the screen's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

from lxtui.backend.base import Backend
from lxtui.backend.wire import last_part, profile_from, snapshot_from
from lxtui.detail import processes as listed
from lxtui.detail.base import HostReading, LogText, Processes
from lxtui.detail.happenings import Happening
from lxtui.detail.inside import Inside, inside_from
from lxtui.detail.samples import HostSample, Sample, host_sample_from, sample_from
from lxtui.errors import LxtuiError, NotFoundError, NotTrustedError, OperationError
from lxtui.files.folders import listed as directory
from lxtui.files.folders import start
from lxtui.files.listing import FileStart, Listing
from lxtui.model import Profile, Ref, Snapshot

_LOG_BYTES = 256 * 1024
"""Of a log the last so many are shown."""
_PIECE = 64 * 1024
_LOOK_SECONDS = 20.0
"""For a look into a container; a view over its files may never answer."""


class Answers:
    """The pages' questions."""

    def __init__(
        self,
        backends: Mapping[str, Backend],
        happened: Callable[[str], tuple[Happening, ...]],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._backends = backends
        self._happened = happened
        self._clock = clock

    def happened(self, host: str) -> tuple[Happening, ...]:
        """The latest events of a host."""
        return self._happened(host)

    def profiles(self, ref: Ref, names: tuple[str, ...]) -> Mapping[str, Profile | None]:
        """The profiles of an instance; None for one that may not be read."""
        return {name: self._profile(ref, name) for name in names}

    def _profile(self, ref: Ref, name: str) -> Profile | None:
        try:
            document = self._read(ref, "profiles", name)
        except (NotFoundError, NotTrustedError, OperationError):
            return None
        return profile_from(document if isinstance(document, Mapping) else {})

    def snapshots(self, ref: Ref) -> tuple[Snapshot, ...]:
        """Its snapshots, with their sizes where the pool counts them."""
        path = ("instances", ref.name, "snapshots")
        wanted = {"project": ref.project, "recursion": "1"}
        found = self._backends[ref.host].read(path, wanted).value
        entries = found if isinstance(found, list) else []
        return tuple(snapshot_from(one) for one in entries if isinstance(one, Mapping))

    def sample(self, ref: Ref) -> Sample:
        """What it uses now."""
        return sample_from(self._read(ref, "instances", ref.name, "state"), self._clock())

    def host_sample(self, host: str) -> HostReading:
        """What a host uses now, and each of its instances."""
        backend = self._backends[host]
        try:
            resources = host_sample_from(backend.read(("resources",)).value)
        except (NotFoundError, NotTrustedError, OperationError):
            resources = HostSample()  # a restricted certificate may not ask
        found = self._instances(backend)
        now = self._clock()
        entries = [one for one in found if isinstance(one, Mapping)]
        samples = {
            Ref(host, str(one.get("project") or backend.remote.project), str(one.get("name"))): (
                sample_from(one.get("state"), now)
            )
            for one in entries
        }
        return HostReading(resources, samples)

    @staticmethod
    def _instances(backend: Backend) -> list[Any]:
        wanted = {"recursion": "2"}
        try:
            found = backend.read(("instances",), {**wanted, "all-projects": "true"}).value
        except (NotTrustedError, OperationError):
            project = {"project": backend.remote.project}
            found = backend.read(("instances",), {**wanted, **project}).value
        return found if isinstance(found, list) else []

    def processes(self, ref: Ref) -> Processes:
        """The processes, through the daemon's file server: no tool of the container is needed."""
        with self._backends[ref.host].files(ref) as files:
            entries = [one for one in files.entries(b"/proc") if one.name.isdigit()]
            entries.sort(key=lambda one: int(one.name))
            shown = entries[: listed.MOST]
            names = (b"stat", b"status", b"cmdline")
            paths = [b"/proc/" + one.name + b"/" + name for one in shown for name in names]
            texts = files.heads([*paths, b"/etc/passwd"], listed.FILE_BYTES)
        found = tuple(
            listed.process_from(int(one.name), one.uid, *texts[3 * at : 3 * at + 3])
            for at, one in enumerate(shown)
        )
        reading = listed.Reading(self._clock(), found, len(entries) > len(shown))
        return Processes(reading, listed.users(texts[-1]))

    def logs(self, ref: Ref) -> tuple[str, ...]:
        """The names of its logs."""
        found = self._read(ref, "instances", ref.name, "logs")
        return tuple(sorted(map(last_part, found if isinstance(found, list) else [])))

    def log(self, ref: Ref, name: str) -> LogText:
        """The end of one of them."""
        return self._end_of(ref, "logs", name)

    def console_log(self, ref: Ref) -> LogText:
        """What it wrote to its console since the last reader."""
        try:
            return self._end_of(ref, "console")
        except OperationError as error:
            if "no such file" in str(error):  # LXD's way to say that there is nothing new
                return LogText(b"", 0)
            raise

    def _end_of(self, ref: Ref, *path: str) -> LogText:
        backend, kept, size = self._backends[ref.host], deque[bytes](), 0
        with backend.download(("instances", ref.name, *path), {"project": ref.project}) as body:
            while piece := body.read(_PIECE):
                kept.append(piece)
                size += len(piece)
                if len(kept) > _LOG_BYTES // _PIECE + 1:
                    kept.popleft()
        return LogText(b"".join(kept)[-_LOG_BYTES:], size)

    def listing(self, ref: Ref, path: bytes) -> Listing:
        """What is in one of its directories; the instance's disk is let go of at once."""
        with self._backends[ref.host].files(ref) as files:
            return directory(files, path)

    def file_start(self, ref: Ref, path: bytes) -> FileStart:
        """The beginning of one of its files."""
        with self._backends[ref.host].files(ref) as files:
            return start(files, path)

    def inside(self, ref: Ref) -> Inside:
        """What it sees of this machine; says why where it cannot be known."""
        remote = self._backends[ref.host].remote
        if not remote.is_socket:
            return Inside(
                trouble=f"{ref.host} is reached over the network: a look into a container takes "
                "its kernel's files, which only its own machine has. Run lxtui there, with a "
                "remote that is the daemon's unix socket."
            )
        init = self.sample(ref).init
        if init is None:
            return Inside(trouble=f"{ref} does not run: there is nothing to look into")
        return _look(init, ref)

    def _read(self, ref: Ref, *path: str) -> Any:
        return self._backends[ref.host].read(path, {"project": ref.project}).value


def _look(init: int, ref: Ref) -> Inside:
    """The look, in a process that is left behind when it does not come back."""
    command = [sys.executable, "-m", "lxtui.detail.inside_look", str(init), ref.name, ref.project]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LOOK_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Inside(trouble="the look did not come back: what is over its /proc does not answer")
    except OSError as error:
        raise LxtuiError(f"no look could be started: {error}") from error
    if "No module named 'lxfs'" in done.stderr:
        return Inside(trouble="this page is made with lxfs, which is not installed here")
    try:
        return inside_from(json.loads(done.stdout))
    except (ValueError, TypeError, AttributeError) as error:
        last = (done.stderr.strip().splitlines() or [str(error)])[-1]
        raise LxtuiError(f"the look failed: {last}") from error
