"""How keys are written in the user's settings.

Role: ``?``, ``ctrl+x`` or ``question_mark`` → the name that Textual knows the key by; which keys no
action can have. Boundary: pure, without Textual. Threading: functions.

Names of signs are Unicode's in small letters, with Textual's own shorter ones.
"""

from __future__ import annotations

import string
import unicodedata

_SHORTER = {
    "solidus": "slash",
    "reverse_solidus": "backslash",
    "commercial_at": "at",
    "hyphen_minus": "minus",
    "plus_sign": "plus",
    "low_line": "underscore",
}
_MODIFIERS = ("ctrl", "alt", "shift")


def _sign(character: str) -> str:
    name = unicodedata.name(character).lower().replace("-", "_").replace(" ", "_")
    return _SHORTER.get(name, name)


SIGNS = {one: _sign(one) for one in string.punctuation + " "}
_NAMED = frozenset(
    {
        *SIGNS.values(),
        *(f"f{number}" for number in range(1, 25)),
        *("up", "down", "left", "right", "home", "end", "pageup", "pagedown"),
        *("insert", "delete", "backspace", "tab", "enter", "escape"),
    }
)
_MOVES = "the table moves its cursor with it"
RESERVED = {
    **dict.fromkeys(("up", "down", "left", "right", "pageup", "pagedown", "home", "end"), _MOVES),
    **dict.fromkeys(("h", "j", "k", "l", "G", "ctrl+b", "ctrl+f", "ctrl+d", "ctrl+u"), _MOVES),
    "enter": "it opens what is under the cursor",
    "ctrl+m": "terminals send it for enter",
    "tab": "it goes from pane to pane",
    "shift+tab": "it goes from pane to pane",
    "ctrl+i": "terminals send it for tab",
    "escape": "it leaves dialogs and clears the filter",
    "ctrl+c": "it copies, and tells how to quit",
    "ctrl+p": "it opens the palette",
    "ctrl+q": "it quits",
}
"""Keys that no action can have, and why."""


def canonical(written: str) -> str:
    """Textual's name of the key, or several with commas between; ValueError says what is wrong.

    Empty for none.
    """
    if written in SIGNS:
        return SIGNS[written]
    keys = [_one(part.strip()) for part in written.split(",")] if written else []
    return ",".join(keys)


def _one(written: str) -> str:
    *modifiers, base = written.split("+") if len(written) > 1 else [written]
    if any(one not in _MODIFIERS for one in modifiers):
        raise ValueError(f"{written!r} is no key: before + come ctrl, alt or shift")
    name = SIGNS.get(base, base)
    letter = len(name) == 1 and name.isascii() and name.isalnum()
    if not (letter or name in _NAMED):
        raise ValueError(
            f"{written!r} is no key: write a letter, a sign, f5, space, delete, ctrl+x, or a name "
            f"like question_mark"
        )
    if letter and name.isalpha() and "shift" in modifiers and len(modifiers) == 1:
        raise ValueError(f"{written!r} is no key that terminals send: write {name.upper()!r}")
    if letter and name.isupper() and modifiers:
        raise ValueError(f"{written!r} is no key that terminals send: write {written.lower()!r}")
    return "+".join([*modifiers, name])
