"""The range of user ids that root may map containers to.

Role: adds the line to /etc/subuid and /etc/subgid where root has none (without it LXD and Incus
refuse unprivileged containers), and takes it out again. Boundary: these two files.
Threading: one caller, under the lab's lock.
"""

from pathlib import Path

FILES = (Path("/etc/subuid"), Path("/etc/subgid"))
# A range no distribution hands out, so that the line is recognisably ours.
LINE = "root:1213000000:65536000\n"


def ensure(files: tuple[Path, ...] = FILES) -> list[str]:
    """Give root a range where it has none; return what was added, in words."""
    added = []
    for path in files:
        text = path.read_text() if path.exists() else ""
        if any(line.split(":")[0] in {"root", "0"} for line in text.splitlines()):
            continue
        if text and not text.endswith("\n"):
            text += "\n"
        path.write_text(text + LINE)
        added.append(f"{path}: {LINE.strip()}")
    return added


def forget(files: tuple[Path, ...] = FILES) -> None:
    """Take our line out again."""
    for path in files:
        text = path.read_text() if path.exists() else ""
        if LINE in text:
            path.write_text(text.replace(LINE, ""))
