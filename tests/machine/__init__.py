"""A machine with cgroup v2 alone, emulated by QEMU, in which lxfs is proven."""
