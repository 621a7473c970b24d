"""The names of the themes, for who does not load Textual.

Role: what ``theme`` in the settings may say. Boundary: pure; that these are Textual's own is held
by a test. Threading: values.
"""

from __future__ import annotations

DEFAULT = "textual-dark"
TERMINAL = ("ansi-dark", "ansi-light")
"""Those made of the terminal's own sixteen colours and its background."""
THEMES = (
    "textual-dark",
    "textual-light",
    *TERMINAL,
    "atom-one-dark",
    "atom-one-light",
    "catppuccin-frappe",
    "catppuccin-latte",
    "catppuccin-macchiato",
    "catppuccin-mocha",
    "dracula",
    "flexoki",
    "gruvbox",
    "monokai",
    "nord",
    "rose-pine",
    "rose-pine-dawn",
    "rose-pine-moon",
    "solarized-dark",
    "solarized-light",
    "tokyo-night",
)
