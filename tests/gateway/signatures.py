"""Signatures of the test models."""

from __future__ import annotations

from typing import Any

from models.registry.mlmodel import parse, served_signature
from tests.gateway.environment import model


def signature_of(name: str) -> dict[str, Any] | None:
    """The signature of that model as route tables have it."""
    return served_signature(parse((model(name) / "MLmodel").read_bytes()).signature)
