"""Writes of this room: workloads, environments, hosts."""

from modelwright.compute.copies import request_copy
from modelwright.compute.services.environments import DEFAULT_PYTHON, remove_environment, request_environment
from modelwright.compute.services.hosts import announce_host, set_host_state
from modelwright.compute.services.joining import create_join_token, join, revoke_join_token
from modelwright.compute.services.profiles import change_profile, create_profile, delete_profile
from modelwright.compute.services.rates import set_rates
from modelwright.compute.services.removal import remove_host
from modelwright.compute.services.workloads import (
    cancel_by_administrator,
    check_size,
    create_workload,
    forget_files,
    hold_newest,
    mark_collected,
    renounce,
    request_cancel,
)

__all__ = [
    "DEFAULT_PYTHON",
    "announce_host",
    "cancel_by_administrator",
    "change_profile",
    "check_size",
    "create_join_token",
    "create_profile",
    "create_workload",
    "delete_profile",
    "forget_files",
    "hold_newest",
    "join",
    "mark_collected",
    "remove_environment",
    "remove_host",
    "renounce",
    "request_cancel",
    "request_copy",
    "request_environment",
    "revoke_join_token",
    "set_host_state",
    "set_rates",
]
