"""For scripts and notebooks: which run this is, its parameters, the data that it may reach, the project's runs and
models. Standard library only."""

from modelwright_runtime.client.platform import PlatformError, Run, register, runs
from modelwright_runtime.client.run import Connection, CurrentRun, connection, current_run, parameters

__all__ = [
    "Connection",
    "CurrentRun",
    "PlatformError",
    "Run",
    "connection",
    "current_run",
    "parameters",
    "register",
    "runs",
]
