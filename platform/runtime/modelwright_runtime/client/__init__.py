"""For scripts: which run this is, its parameters, and the data that it may reach. Standard library only."""

from modelwright_runtime.client.run import Connection, CurrentRun, connection, current_run, parameters

__all__ = ["Connection", "CurrentRun", "connection", "current_run", "parameters"]
