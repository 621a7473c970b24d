"""/proc/pressure/cpu, memory and io of a container.

Role: lets the kernel's own text for the container's cgroup through, and nothing else.
Boundary: pure.
Threading: none.
"""

import re

from lxfs.origin import Origin, value

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


def origins(resource: str) -> tuple[Origin, ...]:
    """Return where the lines of the file of a resource come from."""
    # Kept in the v2 tree alone, on a machine of v1 controllers, too.
    file = (value(f"{resource}.pressure"),)
    return (Origin(("some", "full"), "the cgroup's own in the v2 tree", v1=file, v2=file),)
