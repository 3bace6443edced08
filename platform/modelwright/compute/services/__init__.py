"""Writes of this room: workloads, environments, hosts."""

from modelwright.compute.services.environments import DEFAULT_PYTHON, remove_environment, request_environment
from modelwright.compute.services.hosts import announce_host, set_host_state
from modelwright.compute.services.workloads import (
    cancel_by_administrator,
    check_size,
    create_workload,
    mark_collected,
    request_cancel,
)

__all__ = [
    "DEFAULT_PYTHON",
    "announce_host",
    "cancel_by_administrator",
    "check_size",
    "create_workload",
    "mark_collected",
    "remove_environment",
    "request_cancel",
    "request_environment",
    "set_host_state",
]
