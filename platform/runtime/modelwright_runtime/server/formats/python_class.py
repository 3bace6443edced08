"""A class of a project: its `predict` itself, since the builder already made what it takes."""

from __future__ import annotations

from .ways import Opened, PlainPredictor, Way


def prepare() -> None:
    """Nothing."""


def way(opened: Opened) -> Way | None:
    """`predict` without mlflow around it."""
    return Way(opened.inputs.builder(), PlainPredictor(opened.raw().predict))
