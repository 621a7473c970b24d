"""What was written into a form, as an instance to be made.

Role: texts by field → a LaunchSpec, and what is wrong by field. Boundary: pure. Threading: values.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from lxtui.errors import LxtuiError
from lxtui.launching.options import Options, completed, troubles
from lxtui.launching.spec import Image, LaunchSpec, LocalImage
from lxtui.model import Ref


@dataclass(frozen=True, slots=True)
class Field:
    """One line of the form."""

    id: str
    label: str
    help: str


FIELDS = (
    Field("host", "host", "where"),
    Field("image", "image", "ALIAS, HOST:ALIAS, images:ALIAS"),
    Field("name", "name", "f5: another one"),
    Field("project", "project", "of the instance"),
    Field("profiles", "profiles", "one, or several: default, web"),
    Field("pool", "pool", "of the root disk"),
    Field("size", "root disk", "10GiB"),
    Field("network", "network", "as the profiles say"),
    Field("cpu", "CPUs", "how many, or which: 2, 0-3,6"),
    Field("memory", "memory", "512MiB, 50%"),
    Field("config", "config", "KEY=VALUE KEY='TWO WORDS'"),
    Field("cloud-init", "cloud-init", "a file; f3: write it in $EDITOR"),
    Field("type", "type", "container, or vm"),
    Field("start", "start it", "yes, or no"),
    Field("member", "member", "of the cluster"),
)
_TYPES = {"": False, "container": False, "vm": True, "virtual-machine": True}
_YES = {"": True, "yes": True, "y": True, "no": False, "n": False}


def names(written: str) -> tuple[str, ...]:
    """Names with commas or blanks between them, each once."""
    return tuple(dict.fromkeys(filter(None, re.split(r"[,\s]+", written))))


def understood(
    fields: Mapping[str, str], user_data: str, image: Image | LxtuiError, options: Options
) -> tuple[LaunchSpec, dict[str, str]]:
    """What was meant, and what is wrong with it; it can be sent when that is nothing."""
    wrong: dict[str, str] = {}
    if isinstance(image, LxtuiError):
        wrong["image"] = str(image)
    config, wrong["config"] = _config(fields.get("config", ""))
    kind, start = fields.get("type", ""), fields.get("start", "")
    if kind not in _TYPES:
        wrong["type"] = "write container or vm"
    if start not in _YES:
        wrong["start"] = "write yes or no"
    spec = LaunchSpec(
        Ref(options.host, fields.get("project", "") or options.project, fields.get("name", "")),
        LocalImage("") if isinstance(image, LxtuiError) else image,
        _TYPES.get(kind, False),
        names(fields.get("profiles", "")),
        pool=fields.get("pool", ""),
        size=fields.get("size", ""),
        network=fields.get("network", ""),
        cpu=fields.get("cpu", ""),
        memory=fields.get("memory", ""),
        config=config,
        user_data=user_data,
        user_data_name=fields.get("cloud-init", ""),
        start=_YES.get(start, False),
        member=fields.get("member", ""),
    )
    spec = completed(spec, options)
    found = {**troubles(spec, options), **{name: why for name, why in wrong.items() if why}}
    return spec, found


def _config(written: str) -> tuple[dict[str, str], str]:
    try:
        words = shlex.split(written)
    except ValueError:
        return {}, "a quotation mark is missing"
    found: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not key or not equals:
            return {}, "write KEY=VALUE"
        found[key] = value
    return found, ""
