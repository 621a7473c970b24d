"""docs/benchmarks.md: where each benchmark puts its tables.

Role: one text between two marks is replaced, the rest stays. Boundary: one file of this checkout.
Threading: none.
"""

import sys
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[1] / "docs/benchmarks.md"


def write(mark: str, text: str, document: Path = DOCUMENT) -> None:
    """Put a text between ``<!-- mark -->`` and ``<!-- end mark -->``; ends if they are lost."""
    head, begin, rest = document.read_text().partition(f"<!-- {mark} -->\n")
    _, end, tail = rest.partition(f"<!-- end {mark} -->")
    if not (begin and end):
        sys.exit(f"{document} has lost its marks of {mark}")
    document.write_text(head + begin + text + end + tail)
