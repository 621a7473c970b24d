"""The table of control files."""

import pytest

from lxfs.cgroupfs.files import ControlFile, Lists
from lxfs.cgroupfs.table import TABLE, UNIFIED, table

ROWS = [(directory, file) for directory, files in TABLE.items() for file in files.values()]


@pytest.mark.parametrize(("directory", "file"), ROWS, ids=lambda item: getattr(item, "name", item))
def test_shape_is_directory_s(directory: str, file: ControlFile) -> None:
    """A directory has files of its own shape alone, under their names, each with its origins."""
    assert file.shape == (2 if directory == UNIFIED else 1)
    assert TABLE[directory][file.name] is file
    assert file.origins
    assert bool(file.mode & 0o222) == (file.takes is not None)


def test_lists_are_ids() -> None:
    """Every directory has a list of processes and one of threads, which the tree makes."""
    for directory, files in TABLE.items():
        threads = "cgroup.threads" if directory == UNIFIED else "tasks"
        assert files["cgroup.procs"].view is Lists.PROCESSES
        assert files[threads].view is files[threads].takes is Lists.THREADS


def test_sizes_of_huge_pages_are_the_machine_s() -> None:
    """Files of huge pages are of the sizes that are asked for."""
    files = table(["64KB"])
    assert "hugetlb.64KB.limit_in_bytes" in files["hugetlb"]
    assert "hugetlb.64KB.max" in files[UNIFIED]
    assert not [name for name in files[UNIFIED] if "2MB" in name]
