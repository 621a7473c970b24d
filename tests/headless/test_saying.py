"""What the command line says around a move: its errors, its help, how far it is."""

from __future__ import annotations

import io
import os
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lxtui.audit.journal import Audit
from lxtui.cli import _parser, main
from lxtui.commands import Move
from lxtui.headless import ProgressLine
from lxtui.migrate.options import Mode, MoveOptions, Transport, Verify
from lxtui.model import Progress, Ref
from lxtui.move_arguments import move_options


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["move", "a:web1", "b", "--keep-days", "0.5"], "whole days from 0 (for ever) to 36500"),
        (["move", "a:web1", "b", "--keep-days=-1"], "not '-1'"),
        (["evacuate", "a", "b", "--parallel", "0"], "a whole number from 1, not '0'"),
        (["resume"], "the following arguments are required: MOVE"),
        (["nonsense"], "invalid choice: 'nonsense'"),
    ],
)
def test_bad_usage_is_one_line(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    """Status 2, nothing on standard output, one line that says what is wrong and where to look."""
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("lxtui: ")
    assert said in err
    assert "--help' says more" in err


def test_the_help_of_a_verb_is_about_the_verb(capsys: pytest.CaptureFixture[str]) -> None:
    """The simulated fleet's options are in the top help only; they go on to be understood."""
    for verb in ("list", "move", "hosts"):
        assert main([verb, "--help"]) == 0
        assert "--demo" not in capsys.readouterr().out
    assert main(["--help"]) == 0
    assert "--instances" in capsys.readouterr().out
    assert main(["list", "--demo"]) in {0, 1}


def test_copy_offers_nothing_that_it_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a move's options not those about the source, which a copy leaves alone."""
    assert main(["copy", "--help"]) == 0
    told = capsys.readouterr().out
    assert "--keep-source" not in told
    assert "--copy " not in told
    assert "HOST[:NAME]|NAME" in told
    assert main(["delete", "--help"]) == 0
    assert "HOST:NAME[/SNAPSHOT]" in capsys.readouterr().out


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_step_stays_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only how far it is gets overwritten, and is cut with a sign where it is too long."""
    terminal = _Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("shutil.get_terminal_size", lambda *_: os.terminal_size((20, 24)))
    show = ProgressLine()
    show(Progress("a:web1 is marked"))
    show(Progress("copying a:web1 to b: 12 MiB, 3 MiB/s", processed=12))
    show(Progress("a:web1 is stopped"))
    show.clear()
    clear = "\r\x1b[K"
    assert terminal.getvalue() == (
        f"{clear}a:web1 is marked\n{clear}copying a:web1 to …{clear}a:web1 is stopped\n{clear}"
    )


def test_without_a_terminal_the_daemons_words_are_left_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each step of ours once; what a daemon says in passing is for a line that is rewritten."""
    show = ProgressLine()
    for one in (
        Progress("a:web1 is stopped"),
        Progress("a:web1 is stopped"),
        Progress("Snapshotting instance", passing=True),
        Progress("Unpack: 100%", passing=True),
    ):
        show(one)
    assert capsys.readouterr().err == "a:web1 is stopped\n"


def test_between_kinds_the_audit_names_lxtui_itself() -> None:
    """As neither lxc nor incus can do it."""
    options = MoveOptions(mode=Mode.NEAR_LIVE, name="web2", keep_source=True)
    move = Move(Ref("lxd1", "default", "web1"), "incus1", options)
    assert move.own == "lxtui move lxd1:web1 incus1:web2 --mode near-live --keep-source"


def _options(words: list[str]) -> MoveOptions:
    """What lxtui's own parser makes of a line that it has printed."""
    options = _parser().parse_args(words)
    return move_options(options, options.answer.partition(":")[2])


@given(
    st.builds(
        MoveOptions,
        mode=st.sampled_from(Mode),
        transport=st.sampled_from(Transport),
        limit=st.integers(0, 99),
        verify=st.sampled_from(Verify),
        force=st.booleans(),
        copy_profiles=st.booleans(),
        instance_only=st.booleans(),
        name=st.sampled_from(["", "web2"]),
        project=st.sampled_from(["", "other"]),
        pool=st.sampled_from(["", "fast"]),
        member=st.sampled_from(["", "m1"]),
        check=st.sampled_from(["", "test -e '/a b'"]),
        config=st.sampled_from([(), ("limits.cpu=2",), ("user.a=b c", "user.x=")]),
        profiles=st.sampled_from([None, (), ("default", "small")]),
    ),
    st.sampled_from([{}, {"keep_source": True, "keep_days": 30}, {"keep_source": True}])
    | st.sampled_from([{"copy": True}, {"copy": True, "refresh": True}]),
)
def test_the_line_that_lxtui_names_as_its_own_means_the_same(
    options: MoveOptions, more: dict[str, Any]
) -> None:
    """Whatever was asked for, typed again, is asked for again."""
    wished = replace(options, **more)
    line = Move(Ref("lxd1", "default", "web1"), "incus1", wished).own
    assert _options(shlex.split(line)[1:]) == wished


def test_a_long_reason_widens_no_other_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is the last column of the audit's table, which nothing pads."""
    from lxtui.errors import LxtuiError

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    audit = Audit(tmp_path / "lxtui" / "audit.jsonl")
    with pytest.raises(LxtuiError), audit.of(Ref("a", "default", "web1"), "move", "lxc move"):
        raise LxtuiError("why " * 100)
    with audit.of(Ref("a", "default", "web1"), "start", "lxc start"):
        pass
    assert main(["audit"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert max(len(lines[0]), len(lines[1])) < 120
    assert lines[2].endswith("why why")
