"""The files of the hugetlb controller, in both shapes, for one size of huge pages.

Role: what each says of a cgroup whose huge pages the other version limits, and what a write means.
Boundary: pure. Formats are the kernel's (mm/hugetlb_cgroup.c).
Threading: pure functions.
"""

import re
from collections.abc import Callable, Sequence

from lxfs import parse
from lxfs.cgroupfs.files import ControlFile, Group, Meaning, View, Write
from lxfs.cgroupfs.rows import READ_WRITE, ask, row
from lxfs.cgroupfs.texts import PAGE_COUNTER_MAX, keyed, limit, line, v2_limit
from lxfs.origin import keys, value

_UNITS = {"KB": 10, "MB": 20, "GB": 30}


def _bytes(size: str) -> int:
    """Return the bytes of a size as in the files' names."""
    found = re.fullmatch(r"(\d+)([KMG]B)", size)
    if found is None:
        raise ValueError(f"expected a size of huge pages such as 2MB, found {size!r}")
    return int(found[1]) << _UNITS[found[2]]


def _unlimited(size: str) -> int:
    """Return v1's number for no limit: the largest one of whole huge pages."""
    return PAGE_COUNTER_MAX // _bytes(size) * _bytes(size)


def _of(name: str, make: Callable[[bytes], bytes]) -> View:
    """Return a view of what is made of one file, and no file where there is none."""

    def shaped(text: bytes) -> bytes:
        return make(text)

    return lambda group: ask(group, "hugetlb", name, shaped)


def _v1_limit(size: str) -> Callable[[bytes], bytes]:
    def make(text: bytes) -> bytes:
        found = parse.integer_or_max(text)
        return line(_unlimited(size) if found is None else found)

    return make


def _v2_limit(size: str) -> Callable[[bytes], bytes]:
    def make(text: bytes) -> bytes:
        found = parse.integer(text)
        return v2_limit(None if found >= _unlimited(size) else found)

    return make


def _set(name: str, unlimited: bytes, theirs: bytes) -> Meaning:
    """Return the meaning of a limit: the same, but for the word for none."""

    def meant(_: Group, text: bytes) -> Sequence[Write]:
        wanted = limit(text, unlimited)
        return (Write("hugetlb", name, theirs if wanted is None else line(wanted)),)

    return meant


def _as_is(text: bytes) -> bytes:
    return line(parse.integer(text))


def _failures(text: bytes) -> bytes:
    return line(parse.flat_keyed(text).get(b"max", 0))


def _events(size: str) -> View:
    """Return a view of v2's count, which is of both limits; kernels without the second have one."""

    def view(group: Group) -> bytes | None:
        own = ask(group, "hugetlb", f"hugetlb.{size}.failcnt", parse.integer)
        reserved = ask(group, "hugetlb", f"hugetlb.{size}.rsvd.failcnt", parse.integer)
        return None if own is None else keyed({"max": own + (reserved or 0)})

    return view


def _v1_numa(text: bytes) -> bytes:
    return text + b"hierarchical_" + text


def _v2_numa(text: bytes) -> bytes:
    wanted = b"hierarchical_"
    lines = [each for each in text.splitlines(keepends=True) if each.startswith(wanted)]
    return b"".join(each.removeprefix(wanted) for each in lines)


def v1(size: str) -> tuple[ControlFile, ...]:
    """Return v1's files for a size such as 2MB. Its top has them, too, but not v2's."""
    found = []
    for stem in (f"hugetlb.{size}", f"hugetlb.{size}.rsvd"):
        uses, limits = f"{stem}.current", f"{stem}.max"
        found += [
            row(
                f"{stem}.usage_in_bytes",
                1,
                "hugetlb",
                _of(uses, _as_is),
                formula="as counted",
                of=(value(uses),),
            ),
            row(
                f"{stem}.max_usage_in_bytes",
                1,
                "hugetlb",
                _of(uses, _as_is),
                mode=READ_WRITE,
                formula="the present use: v2 does not keep the highest",
                of=(value(uses),),
            ),
            row(
                f"{stem}.limit_in_bytes",
                1,
                "hugetlb",
                _of(limits, _v1_limit(size)),
                _set(limits, b"-1", b"max\n"),
                formula="the cgroup's own limit; none is the maximum in whole huge pages",
                of=(value(limits),),
            ),
        ]
    events = f"hugetlb.{size}.events.local"
    numa = f"hugetlb.{size}.numa_stat"
    found += [
        row(
            f"hugetlb.{size}.failcnt",
            1,
            "hugetlb",
            _of(events, _failures),
            mode=READ_WRITE,
            formula="as counted, of both limits",
            of=(keys(events, "max"),),
        ),
        row(
            f"hugetlb.{size}.rsvd.failcnt",
            1,
            "hugetlb",
            _of(f"hugetlb.{size}.rsvd.current", lambda _: line(0)),
            mode=READ_WRITE,
            formula="0: v2 counts these with the others",
        ),
        row(
            numa,
            1,
            "hugetlb",
            _of(numa, _v1_numa),
            formula="v2's line, for the cgroup and for its descendants",
            of=(value(numa),),
        ),
    ]
    return tuple(found)


def v2(size: str) -> tuple[ControlFile, ...]:
    """Return v2's files for a size such as 2MB."""
    found = []
    for stem in (f"hugetlb.{size}", f"hugetlb.{size}.rsvd"):
        uses, limits = f"{stem}.usage_in_bytes", f"{stem}.limit_in_bytes"
        found += [
            row(
                f"{stem}.current",
                2,
                "hugetlb",
                _of(uses, _as_is),
                formula="as counted",
                of=(value(uses),),
                in_top=False,
            ),
            row(
                f"{stem}.max",
                2,
                "hugetlb",
                _of(limits, _v2_limit(size)),
                _set(limits, b"max", b"-1\n"),
                formula="the cgroup's own limit",
                of=(value(limits),),
                in_top=False,
            ),
        ]
    failures = f"hugetlb.{size}.failcnt"
    found += [
        row(
            f"hugetlb.{size}.{name}",
            2,
            "hugetlb",
            _events(size),
            formula="max is the sum: v2 counts both limits as one",
            of=(value(failures), value(f"hugetlb.{size}.rsvd.failcnt")),
            in_top=False,
        )
        for name in ("events", "events.local")
    ]
    numa = f"hugetlb.{size}.numa_stat"
    found.append(
        row(
            numa,
            2,
            "hugetlb",
            _of(numa, _v2_numa),
            formula="v1's line of descendants",
            of=(value(numa),),
            in_top=False,
        )
    )
    return tuple(found)
