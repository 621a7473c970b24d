"""What the machine is made of and how it is booted, as values.

Role: the package list, the files laid over them, the kernel and QEMU command lines, and the key
under which an image is cached. Boundary: pure, except for the versions of what is installed here.
Threading: values only.

The checkout is no part of the image: it comes in on a second disk, so a change of code costs no new
image. Nothing here names a mirror: that is this computer's own.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path

# What lxfs and its mount tests import; in the versions that this session runs with.
WHEELS = ("mfusepy", "psutil", "pytest", "pytest-timeout", "pyyaml")
AGENT_PORT = "lxtui.agent"
CHECKOUT = "/checkout"

AGENT_UNIT = f"""[Unit]
Description=Runs what the test session asks for
After=lxcfs.service
RequiresMountsFor={CHECKOUT}

[Service]
ExecStart=/usr/bin/python3 -u {CHECKOUT}/tests/machine/agent.py /dev/virtio-ports/{AGENT_PORT}
KillMode=process
Restart=no

[Install]
WantedBy=multi-user.target
"""
# In the place of Debian's unit of that name, on which Incus depends.
LXFS_UNIT = f"""[Unit]
Description=lxfs in the place of LXCFS
Before=incus.service
RequiresMountsFor={CHECKOUT}

[Service]
Type=forking
PIDFile=/run/lxfs.pid
WorkingDirectory={CHECKOUT}
ExecStart=/usr/bin/python3 -m lxfs.cli mount /var/lib/lxcfs --pidfile /run/lxfs.pid
ExecStop=/usr/bin/python3 -m lxfs.cli umount /var/lib/lxcfs

[Install]
WantedBy=multi-user.target
"""
AUTOLOGIN = """[Service]
ExecStart=
ExecStart=-/sbin/agetty --autologin root --noclear %I linux
"""
FSTAB = f"/dev/vda / ext4 rw,noatime 0 0\n/dev/vdb {CHECKOUT} ext4 rw,noatime 0 0\n"
# They only take time.
MASKED = (
    "incus-startup.service",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "systemd-networkd-wait-online.service",
    "getty@tty1.service",
    "ldconfig.service",
    "systemd-journal-catalog-update.service",
    "systemd-hwdb-update.service",
    "systemd-update-done.service",
    "modprobe@drm.service",
    "modprobe@efi_pstore.service",
)
WANTS = "etc/systemd/system/multi-user.target.wants"


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything on which the image depends."""

    suite: str = "trixie"
    python: str = "3.13"
    # Of each suite the cloud kernel, by the version that it must be of.
    kernels: tuple[tuple[str, str], ...] = (("6.12", "trixie"), ("6.1", "bookworm"))
    packages: tuple[str, ...] = (
        "systemd-sysv",
        "udev",
        "dbus",
        "dbus-user-session",
        "libpam-systemd",
        "kmod",
        "python3",
        "fuse3",
        "libfuse3-4",
        "lxcfs",
        "incus-base",
        "incus-client",
        "crun",
        "busybox-static",
        "iproute2",
        "procps",
        "htop",
        "sysstat",
    )
    wheels: tuple[str, ...] = ()
    files: dict[str, str] = field(
        default_factory=lambda: {
            "etc/fstab": FSTAB,
            "etc/hostname": "v2\n",
            "etc/hosts": "127.0.0.1 localhost v2\n",
            "etc/systemd/system/lxtui-agent.service": AGENT_UNIT,
            "etc/systemd/system/lxcfs.service": LXFS_UNIT,
            "etc/systemd/system/serial-getty@ttyS0.service.d/autologin.conf": AUTOLOGIN,
            "etc/systemd/journald.conf.d/volatile.conf": "[Journal]\nStorage=volatile\n",
        }
    )
    links: dict[str, str] = field(
        default_factory=lambda: {
            f"{WANTS}/lxtui-agent.service": "../lxtui-agent.service",
            **{f"etc/systemd/system/{unit}": "/dev/null" for unit in MASKED},
        }
    )
    megabytes: int = 2048

    @property
    def key(self) -> str:
        """A short name of exactly this recipe."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def current() -> Recipe:
    """Return the recipe with the Python packages in the versions of this session."""
    return Recipe(wheels=tuple(f"{name}=={metadata.version(name)}" for name in WHEELS))


def kernel_line(*, quiet: bool = True) -> str:
    """Return the kernel's command line: the root disk, the serial console, no waiting."""
    words = [
        "root=/dev/vda",
        "no_timer_check",
        "rw",
        "console=ttyS0",
        "panic=-1",
        "mitigations=off",
        "audit=0",
    ]
    return " ".join([*words, *(["quiet"] if quiet else [])])


def qemu(
    kernel: Path, initrd: Path, root: Path, checkout: Path, more: Sequence[str] = ()
) -> list[str]:
    """Return the command that emulates the machine: two CPUs, two disks, no network.

    Writes to the root disk go to a temporary file that QEMU has already unlinked.
    """
    return [
        "qemu-system-x86_64",
        *("-accel", "tcg,thread=multi", "-smp", "2", "-m", "1536"),
        # The least that Debian's own programs may ask for some day (x86-64-v2): what more the
        # emulator could do costs time whenever a program makes use of it.
        *("-cpu", "Nehalem"),
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-nic", "none"),
        *("-kernel", str(kernel), "-initrd", str(initrd), "-append", kernel_line()),
        *("-drive", f"file={root},format=raw,if=virtio,snapshot=on,cache=unsafe"),
        *("-drive", f"file={checkout},format=raw,if=virtio,cache=unsafe"),
        *("-device", "virtio-rng-pci"),
        *more,
    ]
