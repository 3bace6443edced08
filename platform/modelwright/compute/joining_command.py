"""The command that makes a machine a host."""

from __future__ import annotations

from modelwright.compute.reachable import addresses


def join_command(token: str) -> str:
    """What to type in a copy of the platform on the new machine. Raises Conflict where none could reach this one."""
    return f"./modelwright join {addresses().web_url} --token {token}"
