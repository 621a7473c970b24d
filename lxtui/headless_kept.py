"""Kept sources without a screen: listed, and deleted when their time is over.

Role: tables for people, JSON for programs, as in headless.py; the JSON keys are an interface.
Boundary: gets backends, writes text; parses no arguments. Threading: the main thread.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence

from lxtui import format as text
from lxtui import headless
from lxtui.audit.journal import SILENT, Audit
from lxtui.backend.base import Backend
from lxtui.clock import utc_now
from lxtui.errors import LxtuiError, ReadOnlyError
from lxtui.headless import Json, iso
from lxtui.migrate.kept import Kept, remove, survey


def show(backends: Mapping[str, Backend], *, as_json: bool, quiet: bool = False) -> bool:
    """Print all kept sources; whether every host answered. *quiet*: of none, nothing is said."""
    found, well = _survey(backends)
    if found or not quiet:
        _print(found, "no kept sources", as_json=as_json)
    return well


def clean(
    backends: Mapping[str, Backend],
    *,
    as_json: bool,
    dry_run: bool,
    agrees: Callable[[str], bool],
    audit: Audit = SILENT,
) -> bool:
    """Delete those whose time is over, if *agrees* says so; whether all went well."""
    found, well = _survey(backends)
    over = [one for one in found if not one.refusal]
    if dry_run or not over:
        _print(over, "nothing to delete", as_json=as_json)
        return well
    if not as_json:
        _print(over, "", as_json=False)
        sys.stdout.flush()
    names = ", ".join(str(one.ref) for one in over)
    if not agrees(f"delete {names}, with {'its' if len(over) == 1 else 'their'} snapshots"):
        print("lxtui: nothing was deleted", file=sys.stderr)
        return False
    fates: list[Json] = []
    for one in over:
        trouble = ""
        try:
            if backends[one.ref.host].remote.read_only:
                raise ReadOnlyError(one.ref.host)
            with audit.of(one.ref, f"delete the kept source {one.ref}", "lxtui moves --clean"):
                remove(one, backends, utc_now())
            if not as_json:
                print(text.plain(f"{one.ref} is deleted"))
        except LxtuiError as error:
            well, trouble = False, str(error)
            print(text.plain(f"lxtui: {error}"), file=sys.stderr)
        fates.append({**_json(one), "deleted": not trouble, "error": trouble or None})
    if as_json:
        headless.print_json(fates)
    return well


def _survey(backends: Mapping[str, Backend]) -> tuple[list[Kept], bool]:
    instances, errors = headless.instances(backends)
    for error in errors:
        print(f"lxtui: {error}", file=sys.stderr)
    return survey(instances, backends, utc_now()), not errors


def _print(found: Sequence[Kept], none: str, *, as_json: bool) -> None:
    if as_json:
        headless.print_json([_json(one) for one in found])
    elif not found:
        print(none)
    else:
        rows = [
            (
                text.plain(str(one.ref)),
                text.plain(str(one.destination)),
                one.until.astimezone().strftime("%Y-%m-%d %H:%M %Z") if one.until else "-",
                text.plain(one.refusal or "may be deleted: 'lxtui moves --clean'"),
            )
            for one in found
        ]
        print(text.table(("KEPT", "IS NOW", "UNTIL", "NOW"), rows))


def _json(kept: Kept) -> Json:
    return {
        "instance": kept.ref.plain,
        "project": kept.ref.project,
        "moved_to": kept.destination.plain,
        "moved_to_project": kept.destination.project,
        "kept_until": iso(kept.until),
        "may_be_deleted": not kept.refusal,
        "reason": kept.refusal or None,
    }
