"""Aliases that the platform alone sets, in MLflow too: the stages that a version was approved for."""

PROTECTED_ALIASES = frozenset({"lab", "staging", "production"})


def is_protected(alias: str) -> bool:
    """Whether the alias is a stage's, however it is written."""
    return alias.strip().lower() in PROTECTED_ALIASES
