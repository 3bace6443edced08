"""What lives long, as services of a Docker Swarm: see decision 0010. The process that uses it is a keeper."""

from modelwright.compute.backends.swarm.backend import SwarmBackend
from modelwright.compute.backends.swarm.config import Shelf, SwarmConfig

__all__ = ["Shelf", "SwarmBackend", "SwarmConfig"]
