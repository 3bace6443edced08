"""The stages of a version, and what a version needs for each before it may be approved."""

from __future__ import annotations

from django.db import models

TESTS, REPLAY, CARD = "tests", "replay", "card"
SMOKE = "smoke"
# Needed besides checks: that the version was approved for staging before.
STAGING_FIRST = "staging"


class Stage(models.TextChoices):
    """Where a version stands, in this order. The stage is an alias of the model too, here and in MLflow."""

    LAB = "lab", "Lab"
    STAGING = "staging", "Staging"
    PRODUCTION = "production", "Production"


# What a project needs that has not said otherwise.
DEFAULT_NEEDED: dict[str, list[str]] = {
    Stage.LAB: [],
    Stage.STAGING: [],
    Stage.PRODUCTION: [TESTS, REPLAY, CARD],
}

# What checks are called, and where a person gets a missing one.
CHECK_WORDS: dict[str, tuple[str, str]] = {
    TESTS: ("Tests", "Start the steps of kind `test` of the project on the version's approval page."),
    REPLAY: ("Replay gate", "Start a replay of the endpoint's requests with this version."),
    CARD: ("Model card", "Fill in the needed sections of the version's model card."),
    STAGING_FIRST: ("Staging", "Have the version approved for staging first."),
}


def words_of(kind: str) -> str:
    """A check's name as people read it."""
    return CHECK_WORDS[kind][0] if kind in CHECK_WORDS else kind.replace("-", " ").capitalize()


def remedy_for(kind: str) -> str:
    """Where a missing check is to be had."""
    return CHECK_WORDS[kind][1] if kind in CHECK_WORDS else f"Have the check {kind} made on this version."
