"""``lxtui images`` and the other tables without a screen, on the demo fleet."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lxtui.cli import main
from lxtui.table_arguments import LISTED


def _json(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    status = main(["--demo", *words, "--json"])
    return status, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", LISTED)
def test_every_table_is_a_verb(capsys: pytest.CaptureFixture[str], name: str) -> None:
    """One host's table is JSON with where each is and what uses it; a dead host is status 1."""
    status, rows = _json(capsys, name, "oslo")
    assert status == 0
    assert rows or name == "members"
    for row in rows:
        assert row["host"] == "oslo"
        assert row["name"]
        assert isinstance(row["used_by"], list)
    assert main(["--demo", name]) == 1
    assert "quito: no answer" in capsys.readouterr().err


def test_filter_sort_and_columns(capsys: pytest.CaptureFixture[str]) -> None:
    """The filter language and the columns are those of the screen; an unknown one is refused."""
    _, rows = _json(capsys, "images", "oslo", "--filter", "size>100M", "--sort", "size")
    sizes = [row["size_bytes"] for row in rows]
    assert sizes == sorted(sizes)
    assert min(sizes) > 100 * 2**20
    assert main(["--demo", "pools", "oslo", "--columns", "name,used%"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split() == ["NAME", "USED"]
    assert main(["--demo", "pools", "--columns", "nonsense"]) == 2


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["profile", "delete", "oslo:default", "--yes"], 1, "every host has one"),
        (["volume", "delete", "oslo:default/uploads", "--yes"], 1, "used by instance oslo:build"),
        (["volume", "delete", "oslo:default/scratch", "--yes"], 0, ""),
        (["image", "delete", "oslo:debian/13", "--yes"], 0, ""),
        (["image", "add-alias", "oslo:0123", "newest"], 0, ""),
        (["image", "add-alias", "oslo:0123", "-x"], 2, ""),
        (["image", "remove-alias", "oslo:debian/12", "nonsense"], 1, "has no alias 'nonsense'"),
        (["image", "delete", "oslo:nonsense", "--yes"], 1, "has no image 'nonsense'"),
        (["operation", "cancel", "oslo:43311076", "--yes"], 0, ""),
        (["--read-only", "volume", "delete", "oslo:default/scratch", "--yes"], 1, "read-only"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else None,
)
def test_deeds_without_a_screen(
    capsys: pytest.CaptureFixture[str], words: list[str], status: int, said: str
) -> None:
    """Done is 0; what is refused says why, as one object, and is 1; bad usage is 2."""
    assert main(["--demo", *words, "--json"]) == status
    printed = capsys.readouterr()
    assert said in printed.err
    if status != 2:
        answer = json.loads(printed.out)
        assert answer["result"] == ("done" if status == 0 else "failed")
        assert said in (answer["error"] or "")
