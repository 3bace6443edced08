"""The one process on a host that holds the engine's socket, and the client that everybody else uses.

Start it as `python -m modelwright.compute.backends.keeper --socket PATH --root FOLDER --instance NAME`.
"""

from modelwright.compute.backends.keeper.client import KeeperBackend

__all__ = ["KeeperBackend"]
