"""The second kernel's parts: what is loaded in which order, and the archive it comes in."""

from .kernels import Cpio, is_release_of, load_order

DEPENDENCIES = """\
kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz kernel/lib/crc16.ko.xz
kernel/fs/jbd2/jbd2.ko.xz: kernel/lib/crc16.ko.xz
kernel/lib/crc16.ko.xz:
kernel/drivers/char/hw_random/virtio-rng.ko.xz: kernel/lib/crc16.ko.xz
"""


def test_what_is_needed_is_loaded_first() -> None:
    """Modules come after those that they need, each once; what is built in does not come."""
    order = load_order(DEPENDENCIES, ("virtio_blk", "ext4", "virtio_rng"))
    names = [path.rpartition("/")[2] for path in order]
    assert names == ["crc16.ko.xz", "jbd2.ko.xz", "ext4.ko.xz", "virtio-rng.ko.xz"]


def test_the_archive_is_aligned_and_ends() -> None:
    """Each part of a newc archive begins at a multiple of four bytes, and the trailer is last."""
    archive = Cpio()
    archive.folder("dev")
    archive.file("init", b"12345")
    whole = archive.end()
    assert len(whole) % 4 == 0
    assert whole.index(b"12345") % 4 == 0
    assert [at % 4 for at in range(len(whole)) if whole.startswith(b"070701", at)] == [0, 0, 0]
    assert whole.rstrip(b"\0").endswith(b"TRAILER!!!")
    assert b"000081ed" in whole  # a regular file that may be executed


def test_releases_are_of_their_version() -> None:
    """6.1.0-50 is a 6.1, and 6.12.1 is none."""
    assert is_release_of("6.1.0-50-cloud-amd64", "6.1")
    assert is_release_of("6.12.107+deb13-cloud-amd64", "6.12")
    assert not is_release_of("6.12.107+deb13-cloud-amd64", "6.1")
