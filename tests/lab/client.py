"""The client's side of a lab: one certificate, and a configuration for lxc and one for incus.

Role: files as the two command lines write them themselves. Boundary: the lab's directory.
Threading: one caller.
"""

import shlex
import shutil
from pathlib import Path

import yaml

from .plan import KINDS, HostPlan, LabPlan
from .tools import run

_ALGORITHM = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384")


def make_certificate(folder: Path) -> Path:
    """Make client.crt and client.key in FOLDER; return the certificate's path."""
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / "client.crt", folder / "client.key"
    run(
        [
            *("openssl", "req", "-x509", *_ALGORITHM, "-nodes", "-days", "3650"),
            *("-subj", "/O=lxtui lab/CN=lab", "-keyout", str(key), "-out", str(certificate)),
        ]
    )
    key.chmod(0o600)
    return certificate


def make_authority(certificate: Path) -> None:
    """Make CERTIFICATE, which may sign others, and its key beside it."""
    certificate.parent.mkdir(parents=True, exist_ok=True)
    run(
        [
            *("openssl", "req", "-x509", *_ALGORITHM, "-nodes", "-days", "3650"),
            *("-subj", "/CN=authority of the lab", "-keyout", str(certificate.with_suffix(".key"))),
            *("-addext", "basicConstraints=critical,CA:TRUE", "-out", str(certificate)),
        ]
    )
    certificate.with_suffix(".key").chmod(0o600)


def sign(folder: Path, signer: Path, address: str = "127.0.0.1") -> Path:
    """Make client.crt and client.key in FOLDER for ADDRESS, signed by SIGNER; return the first."""
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / "client.crt", folder / "client.key"
    run(
        [
            *("openssl", "req", "-x509", *_ALGORITHM, "-nodes", "-days", "30"),
            *("-subj", f"/CN={address}", "-keyout", str(key)),
            *("-addext", f"subjectAltName=IP:{address}", "-addext", "basicConstraints=CA:FALSE"),
            *("-CA", str(signer), "-CAkey", str(signer.with_suffix(".key"))),
            *("-out", str(certificate)),
        ]
    )
    return certificate


def remotes(hosts: tuple[HostPlan, ...], protocol: str) -> dict[str, object]:
    """Return the content of config.yml for HOSTS."""
    return {
        "default-remote": hosts[0].name,
        "remotes": {
            host.name: {
                "addr": host.url,
                "auth_type": "tls",
                "project": "default",
                "protocol": protocol,
                "public": False,
            }
            for host in hosts
        },
        "aliases": {},
    }


def write_configuration(plan: LabPlan, certificate: Path) -> None:
    """Write LXD_CONF and INCUS_CONF: remotes, the certificate, and each server's, pinned."""
    for kind, folder in (("lxd", plan.lxc_conf), ("incus", plan.incus_conf)):
        hosts = tuple(host for host in plan.hosts if host.kind == kind)
        pins = folder / "servercerts"
        pins.mkdir(parents=True, exist_ok=True)
        for name in ("client.crt", "client.key"):
            shutil.copy2(certificate.parent / name, folder / name)
        for host in hosts:
            shared = host.directory / "cluster.crt"  # a cluster shows one for all its members
            own = shared if shared.exists() else host.directory / "server.crt"
            shutil.copyfile(own, pins / f"{host.name}.crt")
        if hosts:
            (folder / "config.yml").write_text(yaml.safe_dump(remotes(hosts, kind)))


def environment(plan: LabPlan) -> dict[str, str]:
    """Return the variables that point lxc, incus and lxtui at the lab."""
    return {
        "LXD_CONF": str(plan.lxc_conf),
        "INCUS_CONF": str(plan.incus_conf),
    }


def shell_lines(plan: LabPlan) -> str:
    """Return the same as lines to be eval'ed by a shell."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in environment(plan).items()]
    lines.append("unset LXD_DIR INCUS_DIR INCUS_SOCKET LXC_REMOTE INCUS_REMOTE LXD_PROJECT")
    missing = set(KINDS) - {host.name for host in plan.hosts}
    lines.extend(f"# not in this lab: {name}" for name in sorted(missing))
    return "\n".join(lines)
