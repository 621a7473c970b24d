"""Programs that size themselves by the limits in cgroup files of one shape, and know no other.

Role: their text; each prints the memory in bytes and the CPUs that it goes by, as JSON.
Boundary: they run in containers, with Python's standard library alone, and ask nothing that a view
of /proc or /sys/devices would answer: memory by sysinfo(2), CPUs by sched_getaffinity(2).
Threading: none.
"""

_HOST = """
import json, math, os
memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
cpus = len(os.sched_getaffinity(0))
def words(name):
    with open("/sys/fs/cgroup/" + name) as file:
        return file.read().split()
"""
_SAY = """
print(json.dumps([memory, cpus]))
"""

V1_ONLY = f"""{_HOST}
try:
    memory = min(memory, int(*words("memory/memory.limit_in_bytes")))
    quota, period = (int(*words(f"cpu/cpu.cfs_{{name}}_us")) for name in ("quota", "period"))
    if quota > 0:
        cpus = min(cpus, math.ceil(quota / period))
except FileNotFoundError:
    pass
{_SAY}"""

V2_ONLY = f"""{_HOST}
try:
    limit, = words("memory.max")
    memory = memory if limit == "max" else min(memory, int(limit))
    quota, period = words("cpu.max")
    cpus = cpus if quota == "max" else min(cpus, math.ceil(int(quota) / int(period)))
except FileNotFoundError:
    pass
{_SAY}"""

PROGRAMS = {"v1": V1_ONLY, "v2": V2_ONLY}
"""By the shape that they know."""
