"""The configuration and the devices, with where each setting comes from.

Role: two pages of one kind. Boundary: asks for the profiles when it comes to sight. Threading: the
screen's.
"""

from __future__ import annotations

from collections.abc import Mapping

from textual.binding import Binding
from textual.content import Content

from lxtui import format as text
from lxtui.detail.base import Questions
from lxtui.detail.effective import INSTANCE, UNKNOWN, VOLATILE, Setting, layered, looks_secret
from lxtui.errors import LxtuiError
from lxtui.model import Profile
from lxtui.screens.detail.page import Known, Page, Subject, heading, lines, note, trouble

Profiles = Mapping[str, Profile | None]
_HIDDEN = "••••••"
_SHOWN_LINES = 3
"""Of a long value, before it is unfolded."""


class _SettingsPage(Page):
    """What both have in common."""

    BINDINGS = [
        Binding("z", "fold", "Fold", tooltip="Fold or unfold what is long or the daemon's own"),
        Binding("h", "reveal", "Secrets", tooltip="Show or hide values that look like secrets"),
    ]

    def __init__(self, answers: Questions, subject: Subject) -> None:
        super().__init__(answers, subject)
        self._profiles = Known[Profiles]()
        self._folded = True
        self._hiding = True

    def sample(self) -> None:
        """Ask for the profiles."""
        one = self.subject.instance
        if one is not None and self.subject.host.online:
            ref, names = one.ref, one.profiles
            self.ask(lambda: self.answers.profiles(ref, names), self._take)

    def _take(self, answer: Profiles | LxtuiError) -> None:
        self._profiles.take(answer)
        self.redraw()

    def end(self) -> None:
        """What was revealed is hidden again."""
        super().end()
        self._hiding = True

    def action_fold(self) -> None:
        """Fold, or unfold."""
        self._folded = not self._folded
        self.redraw()

    def action_reveal(self) -> None:
        """Show secrets, or hide them."""
        self._hiding = not self._hiding
        self.redraw()

    def _known(self) -> list[tuple[str, Profile | None]]:
        one, known = self.subject.instance, self._profiles.value or {}
        return [(name, known.get(name)) for name in (one.profiles if one is not None else ())]

    def _notes(self) -> list[Content]:
        parts = []
        if self._profiles.trouble:
            parts.append(trouble(self._profiles.trouble))
        elif self._profiles.value is None:
            parts.append(note("asking for the profiles…"))
        unread = [name for name, found in (self._profiles.value or {}).items() if found is None]
        if unread:
            names = text.plain(", ".join(unread))
            parts.append(note(f"not readable with our certificate, or gone: profile {names}"))
        return parts

    def _value(self, key: str, value: str, indent: str) -> list[str]:
        """The lines of a value, the first without its indent."""
        if self._hiding and looks_secret(key, value):
            many = value.count("\n")
            return [f"{_HIDDEN} (h shows it{f', {many + 1} lines' if many else ''})"]
        room = self.columns - len(indent)
        found = []
        for line in value.splitlines() or [""]:
            shown = text.plain(line.replace("\t", "    "))
            found += [shown[at : at + room] for at in range(0, max(len(shown), 1), room)]
        if self._folded and len(found) > _SHOWN_LINES:
            left = len(found) - _SHOWN_LINES
            found = [*found[:_SHOWN_LINES], f"… {left} more lines (z shows them)"]
        return [found[0], *(indent + line for line in found[1:])]


class ConfigurationPage(_SettingsPage):
    """Each effective key."""

    name_ = "Configuration"
    short = "Conf"

    def text(self) -> Content:
        """The daemon's own notes last, and folded."""
        one = self.subject.instance
        if one is None:
            return Content("")
        profiles = [(name, None if p is None else p.config) for name, p in self._known()]
        settings = layered(one.expanded_config, one.config, profiles)
        mine = [setting for setting in settings if not setting.key.startswith(VOLATILE)]
        volatile = [setting for setting in settings if setting.key.startswith(VOLATILE)]
        parts = self._notes()
        parts += [self._setting(setting, mine) for setting in mine]
        if not mine:
            parts.append(note("nothing is configured, here or in its profiles"))
        if volatile:
            fold = " (z shows them)" if self._folded else ""
            kept = f"volatile, of the daemon's own: {len(volatile)}{fold}"
            parts += [Content(""), heading(kept)]
            if not self._folded:
                parts += [self._setting(setting, volatile) for setting in volatile]
        return lines(parts)

    def _setting(self, setting: Setting[str], among: list[Setting[str]]) -> Content:
        most = self.columns // 3
        width = min(max(len(one.key) for one in among), most)
        key = text.plain(setting.key)
        indent = " " * (width + 2)
        value = self._value(setting.key, setting.value, indent)
        first = f"{key:<{width}}  " if len(key) <= width else f"{key}\n{indent}"
        parts = [Content.assemble((first, "bold"), value[0]), *map(Content, value[1:])]
        parts += [note(line) for line in self._origin(setting, indent)]
        return lines(parts)

    def _origin(self, setting: Setting[str], indent: str) -> list[str]:
        found = [f"{indent}{_from(setting.origin, known=self._profiles.value is not None)}"]
        for name, value in setting.overrides:
            shown = self._value(setting.key, value, indent)[0]
            found.append(f"{indent}overrides {shown} of profile {text.plain(name)}")
        return [line for line in found if line.strip()]


class DevicesPage(_SettingsPage):
    """Each effective device."""

    name_ = "Devices"
    short = "Devs"

    def text(self) -> Content:
        """One part for each."""
        one = self.subject.instance
        if one is None:
            return Content("")
        profiles = [(name, None if p is None else p.devices) for name, p in self._known()]
        parts = self._notes()
        for setting in layered(one.expanded_devices, one.devices, profiles):
            kind = text.plain(setting.value.get("type", "?"))
            origin = _from(setting.origin, known=self._profiles.value is not None)
            parts.append(
                Content.assemble(
                    (f"{text.plain(setting.key)}", "bold"), f"  {kind}  ", (origin, "dim")
                )
            )
            width = max(map(len, setting.value), default=0)
            indent = " " * (width + 4)
            for key, value in sorted(setting.value.items()):
                if key != "type":
                    shown = "\n".join(self._value(key, value, indent))
                    parts.append(
                        Content.assemble((f"  {text.plain(key):<{width}}  ", "dim"), shown)
                    )
            parts += [
                note(f"  overrides that of profile {text.plain(name)}: {self._in_line(device)}")
                for name, device in setting.overrides
            ]
            parts.append(Content(""))
        if not one.expanded_devices:
            parts.append(note("it has no device, not even a root disk"))
        return lines(parts)

    def _in_line(self, device: Mapping[str, str]) -> str:
        pairs = (f"{key}={self._value(key, value, '')[0]}" for key, value in sorted(device.items()))
        return text.plain(", ".join(pairs))


def _from(origin: str, *, known: bool) -> str:
    if origin == INSTANCE:
        return "set on the instance"
    if origin == UNKNOWN:
        return "from a profile that could not be read, or has changed" if known else ""
    return f"from profile {text.plain(origin)}"
