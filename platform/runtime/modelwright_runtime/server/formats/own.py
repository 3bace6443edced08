"""Modelwright's own flavours: the model's `predict` itself, since the builder already made what it takes."""

from __future__ import annotations

from .ways import Opened, PlainPredictor, Way


def prepare() -> None:
    """Nothing."""


def way(opened: Opened) -> Way | None:
    """`predict` without mlflow around it, with what the model's loader says of probabilities."""
    return Way(opened.inputs.builder(), PlainPredictor(opened.raw().predict))
