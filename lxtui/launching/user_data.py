"""The user data for cloud-init.

Role: a file → its text. Boundary: reads that file, or standard input; says no word of what is in
it. Threading: functions.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lxtui.errors import LxtuiError

_MOST = 2**20
"""Bytes; more is a mistake in the name."""


def read_user_data(name: str) -> str:
    """The text of the file *name*, or of standard input for ``-``; LxtuiError when it is none."""
    try:
        if name == "-":
            data = sys.stdin.buffer.read(_MOST + 1)
        else:
            with Path(name).expanduser().open("rb") as file:
                data = file.read(_MOST + 1)
        if len(data) > _MOST:
            raise LxtuiError(f"cloud-init: {name} has more than 1 MiB")
        text = data.decode()
    except OSError as error:
        raise LxtuiError(f"cloud-init: {name}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise LxtuiError(f"cloud-init: {name} is no text in UTF-8") from None
    if not text.strip():
        raise LxtuiError(f"cloud-init: {name} is empty")
    return text
