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
@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_completions_are_valid(share: Path, program: str, shell: str) -> None:
    """The shell itself reads them without complaint."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    names = {
        "bash": f"bash-completion/completions/{program}",
        "zsh": f"zsh/vendor-completions/_{program}",
    }
    done = subprocess.run([shell, "-n", share / names[shell]], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


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
