"""The user's editor.

Role: finds it and runs it on a file. Boundary: the only one that starts it; the terminal has to be
free. Threading: blocks its caller.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from lxtui.errors import LxtuiError


def editor(environ: Mapping[str, str]) -> list[str]:
    """The user's, with its arguments: VISUAL, EDITOR, else vi."""
    for name in ("VISUAL", "EDITOR"):
        with suppress(ValueError):
            if words := shlex.split(environ.get(name, "")):
                return words
    return ["vi"]


def run_editor(file: Path) -> None:
    """Have the user's editor change *file*; LxtuiError when it cannot, or says it has failed."""
    words = editor(os.environ)
    try:
        status = subprocess.run([*words, str(file)], check=False).returncode
    except OSError as error:
        raise LxtuiError(f"{words[0]} cannot be run ({error}): set VISUAL or EDITOR") from error
    if status:
        raise LxtuiError(f"{words[0]} ended with status {status}: nothing was changed")
