"""Numbers as the kernel reads and writes them in control files.

Role: what is accepted of a written text, and with which errno what is not; how limits are printed.
Boundary: pure; bytes in, numbers out, and back. Raises ``OSError`` with the kernel's errno.
Threading: pure functions.
"""

import errno
import re
from collections.abc import Mapping
from mmap import PAGESIZE
from typing import NoReturn

_U64 = 1 << 64
_LONG_MAX = (1 << 63) - 1

PAGE_COUNTER_MAX = _LONG_MAX // PAGESIZE * PAGESIZE
"""No limit of v1's memory, in bytes: include/linux/page_counter.h counts pages in a long."""

_NUMBER = re.compile(rb"([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")
_SIZE = re.compile(rb"(0[xX][0-9a-fA-F]+|[0-9]*)([kKmMgGtTpPeE]?)")
_NO_OCTAL = re.compile(rb"0[0-7]*[89][0-9]*")
_SHIFTS = {b"": 0, b"k": 10, b"m": 20, b"g": 30, b"t": 40, b"p": 50, b"e": 60}
SPACE = b" \t\n\v\f\r\xa0"
"""The kernel's isspace(): its table is of Latin-1 (lib/ctype.c)."""


def refuse(number: int) -> NoReturn:
    """Raise the error of this number."""
    raise OSError(number, errno.errorcode[number])


def written(text: bytes) -> bytes:
    """Return what of a written text the kernel looks at: it ends with the first NUL."""
    return text.partition(b"\0")[0]


def stripped(text: bytes) -> bytes:
    """Return it without space around it, as strstrip() does."""
    return text.strip(SPACE)


def unsigned(text: bytes) -> int:
    """Return a number as kstrtoull() with base 0 reads it: EINVAL, or ERANGE above 64 bits.

    Octal with a leading 0, hexadecimal with 0x; one newline may follow, and nothing else.
    """
    return _number(text, signs=(b"", b"+"))


def signed(text: bytes, bits: int = 64) -> int:
    """Return a number as kstrtoll() with base 0 reads it: EINVAL, or ERANGE beyond its ``bits``."""
    number = _number(text, signs=(b"", b"+", b"-"))
    if not -(1 << bits - 1) <= number < 1 << bits - 1:
        refuse(errno.ERANGE)
    return number


def _number(text: bytes, signs: tuple[bytes, ...]) -> int:
    found = _NUMBER.match(text)
    if found is None or found[1] not in signs:
        refuse(errno.EINVAL)
    value = _based(found[2])
    if value >= _U64:  # which is found out before what follows is looked at
        refuse(errno.ERANGE)
    if text[found.end() :] not in (b"", b"\n"):
        refuse(errno.EINVAL)
    return -value if found[1] == b"-" else value


def _based(digits: bytes) -> int:
    if digits[:2].lower() == b"0x":
        return int(digits, 16)
    return int(digits, 8 if digits.startswith(b"0") else 10)


def limit(text: bytes, unlimited: bytes) -> int | None:
    """Return a limit of memory in bytes as page_counter_memparse() reads it; ``None`` is none.

    ``unlimited`` is the word for that: ``max`` in v2, ``-1`` in v1. Rounded down to whole pages;
    a unit (k to e) may follow the number, which may be missing, wraps at 64 bits and has no sign.
    """
    text = stripped(text)
    if text == unlimited:
        return None
    found = _SIZE.fullmatch(text)
    if found is None:
        refuse(errno.EINVAL)
    digits = found[1]
    if _NO_OCTAL.fullmatch(digits):
        refuse(errno.EINVAL)  # the number ends before the digit, which is no unit
    value = _based(digits) if digits else 0
    value = (value << _SHIFTS[found[2].lower()]) % _U64
    return None if value >= PAGE_COUNTER_MAX else value // PAGESIZE * PAGESIZE


def line(number: int) -> bytes:
    """Return the text of a file of one number."""
    return b"%d\n" % number


def v1_limit(number: int | None) -> bytes:
    """Return the text of a limit of v1's memory."""
    return line(PAGE_COUNTER_MAX if number is None else min(number, PAGE_COUNTER_MAX))


def v2_limit(number: int | None) -> bytes:
    """Return the text of a limit of v2."""
    return b"max\n" if number is None else line(number)


def keyed(lines: Mapping[str, int]) -> bytes:
    """Return the text of a file of lines of a key and a number."""
    return "".join([f"{key} {number}\n" for key, number in lines.items()]).encode()
