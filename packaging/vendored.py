"""What lxtui needs beyond Debian's own packages, in the versions that this environment runs with.

Role: one requirement a line, for pip: Debian 12 and 13 differ in what they have of it, and the
tests have seen these versions. Boundary: reads the metadata of installed packages.
Threading: none.
"""

from collections.abc import Iterator
from importlib.metadata import distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = "lxtui"
# Compiled ones are Debian's to keep current (packaging/debian/lxtui/control), or lxfs's.
DEBIAN = {"cryptography", "pyyaml", "psutil", "mfusepy"}


def needed(name: str, extras: frozenset[str] = frozenset()) -> Iterator[tuple[str, str]]:
    """Yield names and versions of what a distribution needs, and of what those need."""
    for text in distribution(name).requires or ():
        one = Requirement(text)
        wanted = one.marker is None or any(
            one.marker.evaluate({"extra": extra}) for extra in (extras or {""})
        )
        if wanted and canonicalize_name(one.name) not in DEBIAN:
            yield one.name, distribution(one.name).version
            yield from needed(one.name, frozenset(one.extras))


if __name__ == "__main__":
    found = {(canonicalize_name(name), version) for name, version in needed(ROOT)}
    for name, version in sorted(found):
        print(f"{name}=={version}")
