"""All tables.

Role: id → Table. Boundary: pure. Threading: values.
"""

from __future__ import annotations

from lxtui.errors import UsageError
from lxtui.resources.affairs import MEMBERS, OPERATIONS, WARNINGS
from lxtui.resources.hosts import HOSTS
from lxtui.resources.images import IMAGES
from lxtui.resources.networks import NETWORKS
from lxtui.resources.profiles import PROFILES, PROJECTS
from lxtui.resources.storage import POOLS, VOLUMES
from lxtui.resources.table import Table

TABLES: tuple[Table, ...] = (
    *(IMAGES, PROFILES, NETWORKS, POOLS, VOLUMES, PROJECTS, MEMBERS, WARNINGS, OPERATIONS, HOSTS),
)
BY_ID = {table.id: table for table in TABLES}


def named(name: str) -> Table:
    """The table of that id; UsageError names those that there are."""
    try:
        return BY_ID[name]
    except KeyError:
        raise UsageError(f"there is no table {name!r}: {', '.join(BY_ID)}") from None
