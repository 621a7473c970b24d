"""What ``make matrix`` makes of its processes' reports: what was not seen is not good."""

from __future__ import annotations

from pathlib import Path

from tests.migrate.matrix import WHOLE, cells, chosen
from tests.migrate.run_matrix import DOCUMENT, gather, renewed

REPORT = """<testsuites><testsuite>
<testcase name="test_it[{}]"><properties><property name="outcome" value="moved (rode it out)"/>
</properties></testcase>
<testcase name="test_it[{}]"><failure message="AssertionError: lost">E   it is lost</failure>
</testcase>
<testcase name="test_it[{}]"><skipped message="no tc"/></testcase>
<testcase name="test_it[{}]"><properties><property name="outcome" value="back"/></properties>
</testcase>
<testcase name="test_it[{}]"><error message="at teardown">E   the lab is there</error></testcase>
</testsuite></testsuites>"""


def test_each_cell_is_as_its_report_says(tmp_path: Path) -> None:
    """Passed, failed and skipped are told apart; a failed end and a missing report are failures."""
    wanted = cells()[:5]
    one, two, three, four, _ = map(str, wanted)
    (tmp_path / "route.xml").write_text(REPORT.format(one, two, three, four, four))
    found = gather(tmp_path, wanted)
    assert [outcome.text for outcome in found.values()] == [
        "moved (rode it out)",
        "FAILED",
        "skipped",
        "FAILED",
        "FAILED",
    ]
    assert found[wanted[1]].detail == "E   it is lost"


def test_a_cell_is_chosen_by_all_of_the_words() -> None:
    """Words narrow the choice down to one cell, and parts together are the whole."""
    assert chosen(WHOLE) == cells()
    parts = [cell for number in range(4) for cell in chosen(WHOLE, f"{number}/4")]
    assert sorted(map(str, parts)) == sorted(map(str, cells()))
    assert [str(one) for one in chosen("link-slow near-live lxd1-incus1")] == [
        "link-slow-claim-lxd1-incus1-near-live-undo"
    ]


def test_the_document_has_a_place_for_the_table() -> None:
    """A new table replaces the old one and nothing else."""
    text = DOCUMENT.read_text(encoding="utf-8")
    new = renewed(text, "| a table |")
    assert "| a table |\n<!-- end -->" in new
    assert renewed(new, "| a table |") == new
    before, _, after = text.partition("<!-- table: matrix")
    assert new.startswith(before)
    assert new.endswith(after.partition("<!-- end -->")[2])
