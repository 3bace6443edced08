"""Tells MLflow of an alias that was set on the platform, so that `models:/<name>@<alias>` means the same there."""

from __future__ import annotations

import psycopg
from django.conf import settings

from modelwright.core.errors import Unavailable

_SET = """
INSERT INTO registered_model_aliases (workspace, name, alias, version)
SELECT workspace, name, %s, version FROM model_versions WHERE workspace = %s AND name = %s AND version = %s
ON CONFLICT (workspace, name, alias) DO UPDATE SET version = excluded.version
"""
_REMOVE = "DELETE FROM registered_model_aliases WHERE alias = %s AND workspace = %s AND name = %s"


def set_alias(workspace: str, model: str, alias: str, version: int) -> None:
    """Point the alias to the version in MLflow, too. Raises Unavailable while MLflow's database does not answer."""
    _execute(_SET, [alias, workspace, model, version])


def remove_alias(workspace: str, model: str, alias: str) -> None:
    """Remove the alias in MLflow, too. Raises Unavailable while MLflow's database does not answer."""
    _execute(_REMOVE, [alias, workspace, model])


def _execute(statement: str, values: list[object]) -> None:
    try:
        with psycopg.connect(settings.MLFLOW_DATABASE_URL, connect_timeout=5) as connection:
            connection.execute(statement.encode(), values)
    except psycopg.errors.UndefinedTable:
        return  # An MLflow that never ran has no models to tell of.
    except psycopg.OperationalError as error:
        raise Unavailable(
            "The alias was not changed: the tracking database does not answer.", remedy="Try again in a few seconds."
        ) from error
