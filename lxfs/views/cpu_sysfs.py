"""/sys/devices/system/cpu of a container: which files it has, and what they say.

Role: constants of the hardware are the host's; whatever names CPUs names the visible ones. Left
out is what tells of the neighbours or is for the machine's administrator: idle states and
frequencies of the moment, throttling, hotplug, power, microcode (docs/lxfs.md).
Boundary: pure. Formats: Documentation/admin-guide/cputopology.rst and
Documentation/ABI/testing/sysfs-devices-system-cpu.
Threading: none.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from lxfs import parse
from lxfs.model import Cpus
from lxfs.origin import ONLINE, VISIBLE_V1, VISIBLE_V2, Origin

View = Callable[[bytes, Cpus], bytes]
"""The host's bytes and the container's CPUs to what the container reads."""

SAME: None = None
"""The host's bytes to everybody: a constant of the hardware or of the kernel's build."""


def visible(_host: bytes, cpus: Cpus) -> bytes:
    """Return the visible CPUs as a list.

    A container has no CPUs that it does not see: ``possible``, ``present`` and ``online`` are one.
    """
    return f"{parse.format_cpulist(cpus.visible)}\n".encode()


def none(_host: bytes, _cpus: Cpus) -> bytes:
    """Return an empty list."""
    return b"\n"


def on(_host: bytes, _cpus: Cpus) -> bytes:
    """Return that a CPU which is seen is online."""
    return b"1\n"


def seen_list(host: bytes, cpus: Cpus) -> bytes:
    """Return the visible of the host's list. Raises ``ValueError`` when it is none."""
    kept = set(parse.cpulist(host)).intersection(cpus.visible)
    return f"{parse.format_cpulist(kept)}\n".encode()


def seen_list_if_any(host: bytes, cpus: Cpus) -> bytes:
    """Return the same of a list that may not have been made.

    Without nohz_full= on its command line, a kernel that could have it says ``(null)`` there.
    """
    return host if host == b"(null)\n" else seen_list(host, cpus)


def seen_mask(host: bytes, cpus: Cpus) -> bytes:
    """Return the visible of the host's mask, as wide. Raises ``ValueError`` when it is none."""
    kept = parse.cpumask(host).intersection(cpus.visible)
    return f"{parse.format_cpumask(kept, like=host)}\n".encode()


def seen_numbers(host: bytes, cpus: Cpus) -> bytes:
    """Return the visible of the host's numbers, one space between them.

    Raises ``ValueError`` when they are none.
    """
    kept = sorted(parse.numbers(host).intersection(cpus.visible))
    return f"{' '.join(map(str, kept))}\n".encode()


def _below(directory: str, names: str, view: View | None) -> dict[str, View | None]:
    return {f"{directory}/{name}": view for name in names.split()}


_TOPOLOGY = "cpu#/topology"
_CACHE = "cpu#/cache/index#"
_POLICY = "cpufreq/policy#"

FILES: Mapping[str, View | None] = MappingProxyType(
    {
        "online": visible,
        "possible": visible,
        "present": visible,
        "offline": none,
        "enabled": seen_list,
        "isolated": seen_list,
        "nohz_full": seen_list_if_any,
        "kernel_max": SAME,
        "modalias": SAME,
        "uevent": SAME,
        "dispatching": SAME,
        "smt/active": SAME,
        "smt/control": SAME,
        "vulnerabilities/*": SAME,
        "cpu#/online": on,
        "cpu#/uevent": SAME,
        "cpu#/cpu_capacity": SAME,
        "cpu#/regs/identification/*": SAME,
        "cpu#/cache/uevent": SAME,
        **_below("cpu#", "address configure dedicated polarization", SAME),  # s390
        **_below(
            "cpu#/acpi_cppc",
            "highest_perf lowest_freq lowest_nonlinear_perf lowest_perf nominal_freq nominal_perf"
            " reference_perf",
            SAME,
        ),
        **_below(
            _TOPOLOGY,
            "book_id cluster_id core_id die_id drawer_id physical_package_id",
            SAME,
        ),
        **_below(
            _TOPOLOGY,
            "book_siblings cluster_cpus core_cpus core_siblings die_cpus drawer_siblings"
            " package_cpus thread_siblings",
            seen_mask,
        ),
        **_below(
            _TOPOLOGY,
            "book_siblings_list cluster_cpus_list core_cpus_list core_siblings_list die_cpus_list"
            " drawer_siblings_list package_cpus_list thread_siblings_list",
            seen_list,
        ),
        **_below(
            _CACHE,
            "allocation_policy attributes coherency_line_size id level number_of_sets"
            " physical_line_partition size type uevent ways_of_associativity write_policy",
            SAME,
        ),
        f"{_CACHE}/shared_cpu_list": seen_list,
        f"{_CACHE}/shared_cpu_map": seen_mask,
        **_below(
            _POLICY,
            "base_frequency cpuinfo_max_freq cpuinfo_min_freq cpuinfo_transition_latency"
            " scaling_available_frequencies scaling_available_governors scaling_driver"
            " scaling_governor scaling_max_freq scaling_min_freq",
            SAME,
        ),
        **_below(_POLICY, "affected_cpus related_cpus", seen_numbers),
    }
)
"""The served files by shape: ``#`` is the number of a CPU, cache or policy, ``*`` any name."""

LINKS = frozenset({"cpu#/node#", "cpu#/subsystem", "cpu#/cpufreq"})
"""The served links by shape."""


def _of_visible(formula: str) -> Origin:
    return Origin(("*",), formula, v1=VISIBLE_V1, v2=VISIBLE_V2, host=(ONLINE,))


_ORIGINS: Mapping[View | None, Origin] = {
    visible: _of_visible(
        "the visible CPUs: the lowest min(number allowed, quota rounded up) of those allowed"
    ),
    none: Origin(("*",), "nothing: a container has no CPUs that it does not see"),
    on: Origin(("*",), "1: a CPU that is seen is online"),
    seen_list: _of_visible("the visible of the host's list"),
    seen_list_if_any: _of_visible("the visible of the host's list, if it has one"),
    seen_mask: _of_visible("the visible of the host's mask, as wide as that"),
    seen_numbers: _of_visible("the visible of the host's numbers"),
    SAME: Origin(("*",), "the host's: a constant of the hardware, the kernel or its settings"),
}

ORIGINS: Mapping[str, tuple[Origin, ...]] = MappingProxyType(
    {shape: (_ORIGINS[view],) for shape, view in FILES.items()}
)
"""Where each file comes from, by shape."""
