"""The man pages and completions say what the programs' parsers say."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "packaging"))
import documents  # noqa: E402

from lxtui.actions import ACTIONS  # noqa: E402
from lxtui.config import SETTINGS  # noqa: E402

PROGRAMS = documents.PROGRAMS


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documents of all programs."""
    directory = tmp_path_factory.mktemp("share")
    documents.main([*PROGRAMS, str(directory)])
    return directory


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_page_has_every_verb_and_option(share: Path, program: str) -> None:
    """Each verb has a section, each of its options a line, and man finds no fault."""
    if shutil.which("man") is None:
        pytest.skip("man is not installed")
    page = share / f"man/man1/{program}.1"
    done = subprocess.run(
        ["man", "--warnings", "--local-file", page],
        env={"MANWIDTH": "200", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert re.findall("@[A-Z]+@", done.stdout) == []
    text = " ".join(re.sub(r".\x08", "", done.stdout).split())
    verbs = documents.commands(documents.parser_of(program))
    assert len(verbs) >= 4
    for verb, (parser, told) in verbs.items():
        assert told, verb
        part = text.partition(f" {program} {verb} ")[2]
        for option in parser._option_string_actions:
            assert option in ("-h", "--help") or option in part, (verb, option)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("shell", documents.SHELLS)
def test_the_completions_are_valid(share: Path, program: str, shell: str) -> None:
    """The shell itself reads them without complaint."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    file = share / documents.SHELLS[shell].format(program)
    done = subprocess.run([shell, "-n", file], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("shell", documents.SHELLS)
def test_every_verb_is_in_the_completions(share: Path, program: str, shell: str) -> None:
    """Verbs and their own verbs, as each shell writes them down."""
    text = (share / documents.SHELLS[shell].format(program)).read_text()
    for verb in documents.commands(documents.parser_of(program)):
        *before, last = verb.split()
        prefix = "_".join(["_shtab", program, *before])
        if shell == "bash":
            wanted = rf"^{prefix}_subparsers=\((.* )?{last}( .*)?\)$"
            assert re.search(wanted, text, re.MULTILINE), verb
        elif shell == "zsh":
            assert re.search(rf"^ +{last}:'", text, re.MULTILINE), verb
        else:
            assert re.search(rf" -a '?{last}'? ", text), verb


def test_the_page_has_every_key_and_setting(share: Path) -> None:
    """What the tables of actions and settings have, with the keys as they are pressed."""
    text = (share / "man/man1/lxtui.1").read_text()
    for action in ACTIONS:
        assert f"({documents.escaped(action.id)})\n" in text, action.id
    assert "\\fB?\\fR (help)" in text
    for setting in SETTINGS:
        assert f"\\fB{documents.escaped(setting.name)}\\fR\n" in text


def test_bash_completes_verbs_options_and_files(share: Path, tmp_path: Path) -> None:
    """Verbs, the options of a verb, values of an option, directories where one is asked for."""
    (tmp_path / "view").mkdir()
    (tmp_path / "vile").touch()

    def completed(*words: str) -> set[str]:
        script = (
            'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1));'
            ' _shtab_lxfs; printf "%s\\n" "${COMPREPLY[@]}"'
        )
        done = subprocess.run(
            ["bash", "-c", script, share / "bash-completion/completions/lxfs", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        return set(done.stdout.split())

    assert completed("lxfs", "um") == {"umount"}
    assert "--identity" in completed("lxfs", "mount", "--")
    assert completed("lxfs", "mount", "--identity", "") == {"cgroup", "pidns"}
    assert completed("lxfs", "mount", "vi") == {"view"}
    assert completed("lxfs", "explain", "1", "vi") == {"view", "vile"}


_FAKE = """#!/bin/sh
[ "$1" = complete ] || exit 2
case "$2/$3" in
    hosts/*) printf '%s\\n' oslo lima ;;
    instances/*:*) printf '%s\\n' lima:web1 lima:web2 lima:db ;;
    instances/*) printf '%s\\n' oslo: lima: ;;
    columns/*) printf '%s\\n' name,memory name,state ;;
esac | while read -r name; do
    case $name in "$3"*) printf '%s\\n' "$name" ;; esac
done
"""


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH with a lxtui that knows two hosts."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "lxtui").write_text(_FAKE)
    (folder / "lxtui").chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


_ASKED = [
    ("lxtui audit --host ", {"oslo", "lima"}),
    ("lxtui move lima:web1 o", {"oslo"}),
    ("lxtui start ", {"oslo:", "lima:"}),
    ("lxtui start lima:we", {"lima:web1", "lima:web2"}),
    ("lxtui list --columns name,m", {"name,memory"}),
    ("lxtui config ", {"path", "check", "show"}),
]


@pytest.mark.parametrize(("line", "wanted"), _ASKED)
def test_bash_asks_lxtui_for_names(share: Path, asked: str, line: str, wanted: set[str]) -> None:
    """Words are put together over bash's colons, and readline gets what comes after the last."""
    script = (
        'source "$0"; COMP_LINE=$1; COMP_POINT=${#1}; shift; COMP_WORDS=("$@");'
        ' COMP_CWORD=$(($# - 1)); _lxtui; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    words = [word for part in re.split(" +", line) for word in _as_bash(part)]
    done = subprocess.run(
        ["bash", "-c", script, share / "bash-completion/completions/lxtui", line, *words],
        env={"PATH": asked},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    last = line.rpartition(" ")[2]
    begun = last[: last.rfind(":") + 1]
    assert set(done.stdout.split()) == {one.removeprefix(begun) for one in wanted}


def _as_bash(word: str) -> list[str]:
    """A word as bash hands it to completions, for which a colon is a word."""
    return [part for part in re.split("(:)", word) if part] or [""]


@pytest.mark.parametrize(("line", "wanted"), _ASKED)
def test_fish_asks_lxtui_for_names(share: Path, asked: str, line: str, wanted: set[str]) -> None:
    """The same with fish's own engine."""
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    script = f"source {share}/fish/vendor_completions.d/lxtui.fish; complete -C '{line}'"
    done = subprocess.run(
        ["fish", "--no-config", "-c", script],
        env={"PATH": asked, "HOME": str(share), "TERM": "dumb"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert {one.split("\t")[0] for one in done.stdout.splitlines()} == wanted
