"""The fake cgroupfs: each container's own cgroups, in both shapes, on a host of either."""
