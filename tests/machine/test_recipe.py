"""What the machine is made of."""

from dataclasses import replace
from pathlib import Path

from .recipe import Recipe, kernel_line, qemu


def test_the_key_is_of_the_whole_recipe() -> None:
    """Equal recipes share an image; any change asks for another."""
    plain = Recipe()
    assert Recipe().key == plain.key
    others = [
        replace(plain, packages=(*plain.packages, "vim")),
        replace(plain, wheels=("psutil==1",)),
        replace(plain, files={**plain.files, "etc/hostname": "other\n"}),
        replace(plain, suite="forky"),
    ]
    assert len({plain.key, *(other.key for other in others)}) == 5


def test_no_network_and_nothing_written_to_the_image() -> None:
    """The emulator gets no network device, and a root disk whose changes are thrown away."""
    words = qemu(Path("k"), Path("i"), Path("root"), Path("code"))
    assert words[words.index("-nic") + 1] == "none"
    assert "-nodefaults" in words
    (root,) = (word for word in words if word.startswith("file=root,"))
    assert "snapshot=on" in root.split(",")


def test_the_kernel_line_asks_for_no_old_hierarchy() -> None:
    """Nothing on the kernel's command line leads away from cgroup v2, Debian's default."""
    assert "cgroup" not in kernel_line()
