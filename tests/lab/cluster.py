"""Two daemons of a kind as one cluster.

Role: makes a cluster of a configured daemon and joins a fresh one. Boundary: both daemons' API.
Threading: one caller. Source: the REST API documentation of LXD and of Incus, "cluster".
"""

import base64
import json

from .daemon import Daemon
from .plan import POOL, PORT


def form(first: Daemon, second: Daemon) -> None:
    """Make FIRST a cluster of one, and SECOND, which knows nothing yet, its second member."""
    call = first.api.call
    call("PUT", "/1.0/cluster", {"server_name": first.plan.name, "enabled": True})
    # This operation is a token, and lives until somebody joins with it.
    body = json.dumps({"server_name": second.plan.name}).encode()
    asked = json.loads(first.api.raw("POST", "/1.0/cluster/members", body)[1])
    made = asked["metadata"]["metadata"]
    token = {
        "server_name": made["serverName"],
        "fingerprint": made["fingerprint"],
        "addresses": made["addresses"],
        "secret": made["secret"],
        "expires_at": made["expiresAt"],
    }
    # LXD 5.0 has no key of its own for the token: it takes it as the cluster's password.
    secret = "cluster_password" if first.plan.kind == "lxd" else "cluster_token"
    pool = {"entity": "storage-pool", "name": POOL, "key": "source", "value": ""}
    joining = {
        "server_name": second.plan.name,
        "enabled": True,
        "server_address": f"{second.plan.address}:{PORT}",
        "cluster_address": made["addresses"][0],
        "cluster_certificate": (first.plan.directory / "cluster.crt").read_text(),
        secret: base64.b64encode(json.dumps(token).encode()).decode(),
        "member_config": [pool],
    }
    second.api.call("PUT", "/1.0/cluster", joining)
