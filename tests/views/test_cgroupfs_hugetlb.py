"""The control files of huge pages, as one load had them on one kernel in either shape."""

import json
from pathlib import Path

import pytest

from lxfs.cgroupfs.files import Lists
from lxfs.cgroupfs.table import TABLE, UNIFIED
from tests.fixtures import HERE
from tests.fixtures.cgroups import RecordedGroup

RECORDS = tuple(sorted(path.parent for path in HERE.glob("linux-*/huge-v1.json")))
of_each = pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.name)


def _recorded(record: Path, version: int, level: int = 0) -> tuple[RecordedGroup, dict[str, str]]:
    """Return a record's cgroup, and what the kernel's own files of huge pages say of it."""
    group = RecordedGroup(json.loads((record / f"huge-v{version}.json").read_text()), level)
    own: dict[str, str] = group.said["levels"][level]["hugetlb" if version == 1 else ""]
    return group, {name: text for name, text in own.items() if name.startswith("hugetlb.")}


def _said(group: RecordedGroup, directory: str) -> dict[str, str]:
    """Return what our files of huge pages in a directory say."""
    found = {}
    for name, file in TABLE[directory].items():
        if name.startswith("hugetlb.") and not isinstance(file.view, Lists):
            text = file.view(group)
            if text is not None:
                found[name] = text.decode()
    return found


@of_each
def test_own_shape_is_the_kernel_s(record: Path) -> None:
    """The kernel's own files go through, with no other beside them, in both shapes."""
    for version, directory in ((1, "hugetlb"), (2, UNIFIED)):
        for level in (0, 1):
            group, own = _recorded(record, version, level)
            assert _said(group, directory) == own


@of_each
def test_v2_of_v1_is_what_v2_said(record: Path) -> None:
    """What is made of v1's files is what v2 itself said of the same load."""
    group, _ = _recorded(record, 1)
    assert _said(group, UNIFIED) == _recorded(record, 2)[1]


@of_each
def test_v1_of_v2_is_what_v1_said(record: Path) -> None:
    """What is made of v2's files is what v1 itself said, but for what v2 does not keep."""
    group, theirs = _recorded(record, 2)
    said, own = _said(group, "hugetlb"), _recorded(record, 1)[1]
    stems = ("hugetlb.2MB", "hugetlb.2MB.rsvd")
    for stem in stems:
        assert said.pop(f"{stem}.max_usage_in_bytes") == theirs[f"{stem}.current"]
        assert int(own.pop(f"{stem}.max_usage_in_bytes")) > int(theirs[f"{stem}.current"])
    split = [int(own.pop(f"{stem}.failcnt")) for stem in stems]
    assert all(split), "each limit refused something"
    assert [int(said.pop(f"{stem}.failcnt")) for stem in stems] == [sum(split), 0]
    assert said == own


@of_each
def test_no_limit_is_said_as_by_the_kernel(record: Path) -> None:
    """v1's number for no limit is the kernel's own, and v2's word comes of it."""
    above, own = _recorded(record, 1, 1)
    name = "hugetlb.2MB.rsvd.limit_in_bytes"
    assert _said(_recorded(record, 2, 1)[0], "hugetlb")[name] == own[name]
    assert _said(above, UNIFIED)["hugetlb.2MB.rsvd.max"] == "max\n"
