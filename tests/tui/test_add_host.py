"""The dialog that adds a host: nothing happens before a yes, the secret is never on the screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input, Label

from lxtui.app import LxtuiApp
from lxtui.config import Settings
from lxtui.errors import CertificateError, LxtuiError, NotTrustedError
from lxtui.model import Kind
from lxtui.screens.add_host import AddHostDialog
from lxtui.screens.dialogs import ConfirmDialog
from lxtui.screens.main import MainScreen
from tests.tui.conftest import Stage, until

SECRET = "opensesame"


@dataclass
class Gate:
    """Stands for the network: who answers, and what was asked."""

    stage: Stage
    trouble: LxtuiError | None = None
    refusal: LxtuiError | None = None
    asked: list[tuple[str, ...]] = field(default_factory=list)
    lines: list[str] = field(default_factory=lambda: ["LXD at new:8443", "fingerprint 0123"])

    def look(self, name: str, address: str, secret: str) -> Gate:
        """Who is there."""
        self.asked.append((name, address, secret))
        if self.trouble is not None:
            raise self.trouble
        return self

    def add(self, secret: str) -> str:
        """Take it in."""
        self.asked.append(("add", secret))
        if self.refusal is not None:
            raise self.refusal
        self.stage.demo.add_host("new", Kind.LXD, "5.0.2")
        self.stage.fleet.add(self.stage.demo.backend("new"))
        return "new"


def _shown(app: App[None]) -> str:
    return "\n".join(
        "".join(segment.text for segment in strip)
        for strip in app.screen._compositor.render_strips()
    )


def _play(gate: Gate, script: Callable[[Pilot[None]], object]) -> None:
    stage = gate.stage
    stage.app = LxtuiApp(stage.fleet, Settings(), stage.demo.clock, gate.look)
    stage.run(script)  # type: ignore[arg-type]


async def _fill(pilot: Pilot[None]) -> None:
    await pilot.press("a", *"new", "enter", *"new.lan", "enter", *SECRET)
    assert SECRET not in _shown(pilot.app)
    assert pilot.app.screen.query_one("#secret", Input).value == SECRET


def test_a_host_is_added_after_a_yes() -> None:
    """Its fingerprint is shown, yes adds it, and the fleet has it, asked by a worker of its own."""
    gate = Gate(Stage())

    async def script(pilot: Pilot[None]) -> None:
        await _fill(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        assert "fingerprint 0123" in _shown(pilot.app)
        assert gate.asked == [("new", "new.lan", SECRET)]
        await pilot.press("y")
        await until(pilot, lambda: isinstance(pilot.app.screen, MainScreen))
        assert gate.asked[-1] == ("add", SECRET)

        def online() -> bool:
            host = gate.stage.fleet.snapshot.host("new")
            return host is not None and host.online

        await until(pilot, online)
        assert SECRET not in _shown(pilot.app)

    _play(gate, script)


def test_no_means_no() -> None:
    """After a no nothing was added, and the fields are as they were."""
    gate = Gate(Stage())

    async def script(pilot: Pilot[None]) -> None:
        await _fill(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        await pilot.press("enter")  # the focus is on no
        await until(pilot, lambda: isinstance(pilot.app.screen, AddHostDialog))
        assert len(gate.asked) == 1
        assert pilot.app.screen.query_one("#address", Input).value == "new.lan"
        await pilot.press("escape")
        assert gate.stage.fleet.snapshot.host("new") is None

    _play(gate, script)


def test_trouble_is_said_in_the_dialog() -> None:
    """Somebody else at the address, and a secret that is not the right one: said, not fatal."""
    gate = Gate(Stage(), CertificateError("new: somebody is in between"))

    async def script(pilot: Pilot[None]) -> None:
        await _fill(pilot)
        await pilot.press("enter")
        trouble = pilot.app.screen.query_one("#trouble", Label)
        await until(pilot, lambda: "somebody is in between" in str(trouble.render()))
        gate.trouble, gate.refusal = None, NotTrustedError("new: get a new token")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        await pilot.press("y")
        await until(pilot, lambda: "get a new token" in str(trouble.render()))
        assert isinstance(pilot.app.screen, AddHostDialog)

    _play(gate, script)


def test_a_simulated_fleet_gets_none() -> None:
    """Where no host can be added the key says so."""
    stage = Stage()

    async def script(pilot: Pilot[None]) -> None:
        await pilot.press("a")
        assert isinstance(pilot.app.screen, MainScreen)
        assert any("simulated" in str(note.message) for note in pilot.app._notifications)

    stage.run(script)
