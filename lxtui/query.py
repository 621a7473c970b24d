"""The filter language: ``/`` on the screen, ``lxtui list --filter``.

Role: text → Query, Query and instance → shown or not. Nothing is refused: what cannot be
understood is left out and said in ``problems``, so that a filter never hides what its writer did
not ask to hide. Boundary: pure. Threading: values and functions.

``web prod``           both words, anywhere in what is known of the instance
``!web``               not this word
``"web 1"``            this text with its blank
``state:running``      the column (columns.py) has it; with ``=`` is it; ``*``, ``?`` as in a shell
``user.role:db``       any configuration key
``snapshots:``         has one; ``!location:`` has none
``mem>1G cpu>=50``     numbers; K, M, G, T are powers of 1024
``age<7d``             times: m, h, d, w, y, or a date as ``created<2026-01-31``
``web | state:error``  either; ``|`` binds weaker than the blank

A bare word also matches a name that has its letters in order, with at most two others between
each; ``!`` does not guess like that.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fnmatch import translate
from typing import Generic, TypeAlias

from lxtui.columns import Field, Row, Shape, Value, find
from lxtui.model import Host, Instance

_GAP = 2
"""Other letters that a fuzzy match may have between two."""
_FUZZY_FROM = 2
"""Letters that a word needs before it is matched like that."""
_TERM = re.compile(r'"[^"]*"?|\||[^\s"|]+')
_FIELD = re.compile(r"(?P<key>(?:config:)?[\w.%/-]+)(?P<op><=|>=|!=|[:=<>])", re.IGNORECASE)
_NUMBER = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([a-z%]*)", re.IGNORECASE)
_POWERS = {
    spelled: 1024**power
    for power, letter in enumerate("kmgtpe", 1)
    for spelled in (letter, f"{letter}b", f"{letter}ib")
} | {"": 1, "b": 1}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_557_600}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    ":": operator.eq,
    "!=": operator.ne,
}

Test: TypeAlias = Callable[[Row, Host | None, datetime], bool]


@dataclass(frozen=True, slots=True)
class Language(Generic[Row]):
    """What can be said about the lines of one table."""

    find: Callable[[str], Field[Row] | None]
    """The column of a name."""
    words: Callable[[Row], str]
    """Everything in which a bare word is looked for, in small letters."""
    name: Callable[[Row], str]
    """What may be meant by some of its letters."""


@dataclass(frozen=True, slots=True)
class Query(Generic[Row]):
    """A filter that was understood, as far as it was."""

    text: str = ""
    problems: tuple[str, ...] = ()
    """What was not understood and therefore does not count; one line each."""
    timed: bool = False
    """Whether the answer changes with the time alone."""
    alternatives: tuple[tuple[Test[Row], ...], ...] = ()

    def matches(self, row: Row, host: Host | None, now: datetime) -> bool:
        """Whether the line is shown."""
        for tests in self.alternatives:  # loops, as generators take twice as long
            for test in tests:
                if not test(row, host, now):
                    break
            else:
                return True
        return not self.alternatives


class _NotUnderstoodError(Exception):
    """A term that does not count; the message says why."""


@dataclass(slots=True)
class _Notes:
    problems: list[str]
    timed: bool = False


def parse(text: str, words: Callable[[Instance], str] | None = None) -> Query[Instance]:
    """Understand *text* about instances as far as possible; raises nothing.

    *words* gives what ``haystack`` does, for those who remember it.
    """
    return understand(text, replace(INSTANCES, words=words or haystack))


def understand(text: str, language: Language[Row]) -> Query[Row]:
    """Understand *text* as far as possible; raises nothing."""
    notes = _Notes([])
    alternatives: list[tuple[Test[Row], ...]] = []
    for part in _alternatives(text):
        tests = [test for term in part if (test := _term(term, language, notes)) is not None]
        if not tests:
            alternatives = []  # one side is not understood: nothing may be hidden for it
            break
        alternatives.append(tuple(tests))
    return Query(text, tuple(dict.fromkeys(notes.problems)), notes.timed, tuple(alternatives))


def _alternatives(text: str) -> Iterator[list[str]]:
    """The terms of each side of ``|``, quotes still on; an empty side does not count."""
    part: list[str] = []
    end = -1
    for found in _TERM.finditer(text):
        piece = found[0]
        if piece == "|":
            if part:
                yield part
            part = []
        elif part and found.start() == end:  # key:"a text" is one term
            part[-1] += piece
        else:
            part.append(piece)
        end = found.end()
    if part:
        yield part


def _term(term: str, language: Language[Row], notes: _Notes) -> Test[Row] | None:
    inverse = term.startswith("!")
    body = term[1:] if inverse else term
    if body.count('"') % 2:
        notes.problems.append(f"{body}: the quote is not closed")
    try:
        test = _field(body, language, notes) or _word(body, language, fuzzy=not inverse)
    except _NotUnderstoodError as error:
        notes.problems.append(f"{term} does not count: {error}")
        return None
    if inverse:
        return lambda one, host, now: not test(one, host, now)
    return test


def _word(body: str, language: Language[Row], *, fuzzy: bool) -> Test[Row]:
    words, name = language.words, language.name
    word = body.replace('"', "").casefold()
    if not word:
        raise _NotUnderstoodError("a word is missing")
    if fuzzy and '"' not in body and len(word) >= _FUZZY_FROM:
        return lambda one, _h, _n: word in words(one) or loosely(word, name(one).casefold())
    return lambda one, _h, _n: word in words(one)


def loosely(word: str, name: str) -> bool:
    """Whether *name* has the letters of *word* in order, at most two others between each."""
    at = 0
    for letter in word:  # most names fail here, and this is quick
        at = name.find(letter, at) + 1
        if not at:
            return False
    ends = {at for at, letter in enumerate(name) if letter == word[0]}
    for letter in word[1:]:
        ends = {
            at
            for end in ends
            for at in range(end + 1, min(end + 2 + _GAP, len(name)))
            if name[at] == letter
        }
    return bool(ends)


def _field(body: str, language: Language[Row], notes: _Notes) -> Test[Row] | None:
    """``key`` operator ``value``; None when it is none, and then a word like another."""
    found = _FIELD.match(body)
    if found is None:
        return None
    key, how = found["key"], found["op"]
    column = language.find(key)
    if column is None:  # host:name is written like one; a typing error looks like one
        notes.problems.append(f"{key!r} is no column: {body} is looked for as a word")
        return None
    get, value = column.value, body[found.end() :].replace('"', "").strip()
    if not value:
        if how in {":", "="}:
            return lambda one, host, _: get(one, host) not in {None, 0}
        raise _NotUnderstoodError(f"a value is missing after {how}")
    if column.shape is Shape.TIME:
        return _time(column, how, value, notes)
    if column.shape.is_number:
        return _number(column, how, value)
    if how in {"<", "<=", ">", ">="}:
        raise _NotUnderstoodError(f"{column.id} is a text, and {how} compares numbers")
    test = _text_test(how, value)
    return lambda one, host, _: test(get(one, host))


def _text_test(how: str, value: str) -> Callable[[Value], bool]:
    wanted = value.casefold()
    if "*" in wanted or "?" in wanted:
        whole = re.compile(translate(wanted)).match

        def same(one: str) -> bool:
            return whole(one) is not None
    elif how == ":":

        def same(one: str) -> bool:
            return wanted in one
    else:

        def same(one: str) -> bool:
            return wanted == one

    def test(found: Value) -> bool:
        texts = found if isinstance(found, tuple) else () if found is None else (str(found),)
        return any(same(one.casefold()) for one in texts) is not (how == "!=")

    return test


def _number(column: Field[Row], how: str, value: str) -> Test[Row]:
    compare, get = _COMPARE[how], column.value
    wanted = _amount(value, column.shape)
    if wanted is None:
        example = "512M" if column.shape is Shape.BYTES else "50"
        raise _NotUnderstoodError(f"write a number, such as {example}")

    def test(one: Row, host: Host | None, _: datetime) -> bool:
        found = get(one, host)
        return isinstance(found, int | float) and compare(found, wanted)

    return test


def _time(column: Field[Row], how: str, value: str, notes: _Notes) -> Test[Row]:
    compare, get = _COMPARE[how], column.value
    if how in {":", "=", "!="}:
        raise _NotUnderstoodError("times are compared with < or >")
    moment = _date(value)
    if moment is not None:
        at = moment.timestamp()
        return lambda one, host, _: (
            isinstance(found := get(one, host), datetime) and compare(found.timestamp(), at)
        )
    span = _span(value)
    if span is None:
        raise _NotUnderstoodError("write a time as 7d, 12h or 2026-01-31")
    notes.timed = True

    def test(one: Row, host: Host | None, now: datetime) -> bool:
        found = get(one, host)
        return isinstance(found, datetime) and compare((now - found).total_seconds(), span)

    return test


def _amount(value: str, shape: Shape) -> float | None:
    found = _NUMBER.fullmatch(value)
    if found is None:
        return None
    unit = found[2].casefold()
    if shape is Shape.BYTES:
        return float(found[1]) * _POWERS[unit] if unit in _POWERS else None
    return float(found[1]) if unit in ("", "%" if shape is Shape.PERCENT else "") else None


def _span(value: str) -> float | None:
    """Seconds in ``7d`` or ``1h30m``."""
    pieces = list(_NUMBER.finditer(value))
    if not pieces or "".join(piece[0] for piece in pieces) != value:
        return None
    total = 0.0
    for piece in pieces:
        if piece[2].casefold() not in _SECONDS:
            return None
        total += float(piece[1]) * _SECONDS[piece[2].casefold()]
    return total


def _date(value: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        moment.timestamp()
    except (ValueError, OverflowError):
        return None
    return moment if moment - datetime.min.replace(tzinfo=UTC) > timedelta(days=1) else None


def haystack(one: Instance) -> str:
    """Everything in which a bare word is looked for, in small letters."""
    ref, config = one.ref, one.expanded_config
    texts = [
        f"{ref.host}:{ref.name}{ref.where}",
        *(ref.project, one.status, one.type, one.location, one.architecture, one.description),
        *(*one.ipv4, *one.ipv6, *one.profiles),
        config.get("image.description", ""),
    ]
    texts += [snapshot.name for snapshot in one.snapshots]
    texts += [config[key] for key in config if key[:5] == "user."]
    return "\n".join(texts).casefold()


INSTANCES: Language[Instance] = Language(find, haystack, lambda one: one.ref.name)
