"""Pages of the shared memory for texts, of which the server that is serving is the only owner.

Role: which pages are free. A text is at a page and so many bytes long: one word says both.
Boundary: bytes; who refers to a text is known in handles.py.
Threading: a lock over the search for pages.
"""

import threading

from lxfs.drivers.native.memory import ARENA_PAGES, PAGE, Memory

_LENGTH_BITS = 32
_KEPT_PAGES = 256
"""Of the first megabyte the memory is not given back when it is free: it will be used again."""


class Arena:
    """Texts, each named by its word; 0 names none."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._lock = threading.Lock()
        self._used = bytearray(ARENA_PAGES)

    def put(self, text: bytes) -> int:
        """Return the word of a text that was put here, or 0 when there is no room for it."""
        count = -(-len(text) // PAGE)
        with self._lock:
            page = self._used.find(bytes(count))
            if page < 0 or not text:
                return 0
            self._used[page : page + count] = b"\1" * count
        start = page * PAGE
        self._memory.arena[start : start + len(text)] = text
        return (page + 1) << _LENGTH_BITS | len(text)

    def free(self, word: int) -> None:
        """Let go of a text that no word on record names any more."""
        page, count = _place(word)
        if page + count > _KEPT_PAGES:
            self._memory.discard(page, count)
        with self._lock:
            self._used[page : page + count] = bytes(count)

    def claim(self, word: int) -> bytes | None:
        """Return a predecessor's text and count its pages as used, or ``None`` for no such text.

        No two words can name the same pages.
        """
        page, count = _place(word)
        length = word & ((1 << _LENGTH_BITS) - 1)
        with self._lock:
            if page < 0 or not length or page + count > ARENA_PAGES:
                return None
            if any(self._used[page : page + count]):
                return None
            self._used[page : page + count] = b"\1" * count
        return bytes(self._memory.arena[page * PAGE : page * PAGE + length])

    @property
    def used(self) -> int:
        """How many pages are in use."""
        return sum(self._used)


def _place(word: int) -> tuple[int, int]:
    length = word & ((1 << _LENGTH_BITS) - 1)
    return (word >> _LENGTH_BITS) - 1, -(-length // PAGE)
