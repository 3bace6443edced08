"""The protocols by name. Each turns bodies into records and recorded predictions into bodies, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from models.gateway.protocols.base import Protocol
from models.gateway.protocols.mlflow import Mlflow
from models.gateway.protocols.own import Own
from models.gateway.protocols.tensorflow import TensorFlow
from models.gateway.protocols.v2 import V2

BY_NAME: Mapping[str, Protocol] = {protocol.name: protocol for protocol in (Own(), Mlflow(), V2(), TensorFlow())}
