"""The two keys that leave a console.

Role: finds Ctrl-a q in what is typed. Boundary: pure. Threading: belongs to one session.
"""

from __future__ import annotations

_PREFIX = 0x01
_LEAVE = ord("q")


class Detach:
    """What is typed → what is sent, until ``left``: all but Ctrl-a followed by q, as it is."""

    def __init__(self) -> None:
        self.left = False
        self._begun = False

    def __call__(self, typed: bytes) -> bytes:
        """What of it is for the other side; Ctrl-a is held back until the next key is known."""
        sent = bytearray()
        for byte in typed:
            if self._begun:
                self._begun = False
                if byte == _LEAVE:
                    self.left = True
                    break
                sent += bytes([_PREFIX, byte])
            elif byte == _PREFIX:
                self._begun = True
            else:
                sent.append(byte)
        return bytes(sent)
