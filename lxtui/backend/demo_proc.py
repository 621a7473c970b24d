"""The /proc of a simulated container.

Role: a handful of processes that work as hard as the instance does. Boundary: text. Threading:
functions.
"""

from __future__ import annotations

from collections.abc import Sequence

from lxtui.model import FileEntry

_PEOPLE = (
    (1, "systemd", "/sbin/init", 0, 0.02),
    (61, "systemd-journal", "/usr/lib/systemd/systemd-journald", 0, 0.03),
    (102, "dbus-daemon", "/usr/bin/dbus-daemon --system", 101, 0.01),
    (114, "cron", "/usr/sbin/cron -f", 0, 0.0),
    (131, "nginx", "nginx: master process /usr/sbin/nginx", 0, 0.04),
    (132, "nginx", "nginx: worker process", 33, 0.6),
    (133, "nginx", "nginx: worker process", 33, 0.3),
)
PASSWD = b"root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33::/:/bin/sh\nmessagebus:x:101:101::/:\n"
_KIB = 1024


def entries(folder: bytes) -> list[FileEntry]:
    """What is in a folder of it."""
    if folder != b"/proc":
        return []
    return [FileEntry(str(pid).encode(), 0o040555, uid, uid) for pid, _, _, uid, _ in _PEOPLE]


def heads(paths: Sequence[bytes], seconds: float) -> list[bytes]:
    """Files of it, after *seconds* of CPU time of all processes together."""
    known: dict[bytes, bytes] = {b"/etc/passwd": PASSWD}
    for pid, name, command, uid, share in _PEOPLE:
        ticks = int(seconds * share * 100)
        memory = 4 * _KIB + pid * 97
        fields = ["S", "1" if pid > 1 else "0", *["0"] * 9, str(ticks), "0", *["0"] * 6, str(pid)]
        here = f"/proc/{pid}/".encode()
        known[here + b"stat"] = f"{pid} ({name}) {' '.join(fields)}\n".encode()
        status = f"Name:\t{name}\nUid:\t{uid}\nVmRSS:\t{memory} kB\nThreads:\t1\n"
        known[here + b"status"] = status.encode()
        known[here + b"cmdline"] = command.replace(" ", "\0").encode() + b"\0"
    return [known.get(path, b"") for path in paths]
