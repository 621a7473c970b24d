"""/proc/pressure/cpu, memory and io of a container.

Role: lets the kernel's own text for the container's cgroup through, and nothing else.
Boundary: pure.
Threading: none.
"""

import re

_TEXT = re.compile(
    rb"(?:(?:some|full) avg10=\d+\.\d\d avg60=\d+\.\d\d avg300=\d+\.\d\d total=\d+\n)+"
)


def render(text: bytes) -> bytes:
    """Return the text of a cgroup's pressure file, which is of the same shape.

    (Documentation/accounting/psi.rst.) Raises ``ValueError`` for any other text.
    """
    if _TEXT.fullmatch(text) is None:
        raise ValueError(f"expected lines of pressure, found {text[:60]!r}")
    return text
