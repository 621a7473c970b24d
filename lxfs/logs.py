"""Where servers say what happens: stderr in the foreground, else syslog.

Role: handlers of the root logger. Boundary: knows no one's messages. Threading: called once.
"""

import contextlib
import logging
import logging.handlers
from pathlib import Path

_SYSLOG = Path("/dev/log")


def to_stderr() -> None:
    """Print what is logged."""
    logging.basicConfig(format="lxfs: %(message)s", level=logging.INFO)


def to_syslog() -> None:
    """Send what is logged to syslog, or nowhere on a machine that has none."""
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.handlers.clear()
    handler: logging.Handler = logging.NullHandler()
    if _SYSLOG.exists():
        with contextlib.suppress(OSError):
            handler = logging.handlers.SysLogHandler(
                str(_SYSLOG), logging.handlers.SysLogHandler.LOG_DAEMON
            )
            handler.setFormatter(logging.Formatter("lxfs[%(process)d]: %(message)s"))
    root.addHandler(handler)
