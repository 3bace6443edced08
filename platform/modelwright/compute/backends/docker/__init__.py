"""Workloads as containers of this host's engine. The process that uses it holds the engine's socket: see `keeper`."""

from modelwright.compute.backends.docker.backend import DockerBackend
from modelwright.compute.backends.docker.config import DockerConfig, Relay

__all__ = ["DockerBackend", "DockerConfig", "Relay"]
