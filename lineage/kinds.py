"""The words of lineage. Free text in the tables, so that imported lineage may bring its own."""

from enum import StrEnum


class NodeKind(StrEnum):
    """What a node stands for."""

    SOURCE = "source"
    DATASET = "dataset"
    FILE = "file"
    COMMIT = "commit"
    ENVIRONMENT = "environment"
    RUN = "run"
    MODEL_VERSION = "model_version"
    DEPLOYMENT = "deployment"
    ENDPOINT = "endpoint"
    PREDICTIONS = "predictions"


class EdgeKind(StrEnum):
    """How data went along an edge, from its source to its destination."""

    READ = "read"
    WROTE = "wrote"
    USED = "used"
    TRAINED = "trained"
    DEPLOYED = "deployed"
    SERVED = "served"
    PREDICTED = "predicted"


class Origin(StrEnum):
    """How an edge is known."""

    DECLARED = "declared"
    OBSERVED = "observed"
    INFERRED = "inferred"
    IMPORTED = "imported"
