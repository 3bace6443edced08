"""Makes a database as release 0.1.0 left it, with a row in each table: `python -m tests.house.old_release`.

Prints `{"table": rows}` as JSON. The tables are made by the migrations of that release, the rows through its models.
"""

from __future__ import annotations

import json
import sys
from typing import Any
from uuid import uuid4

import django
from django.apps.registry import Apps
from django.db import connection, models
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

RELEASE = [
    ("accounts", "0001_initial"),
    ("audit", "0002_append_only"),
    ("compute", "0002_fences_and_profiles"),
    ("endpoints", "0001_initial"),
    ("jobs", "0002_artifact_use"),
    ("lineage", "0002_append_only"),
    ("predictions", "0001_initial"),
    ("projects", "0001_initial"),
    ("registry", "0001_initial"),
    ("workspaces", "0001_initial"),
]
# What the platform finds on an ordinary day: things that are done with.
FACTS: dict[str, dict[str, Any]] = {
    "compute.Workload": {
        "kind": "run",
        "state": "succeeded",
        "fence": 1,
        "exit_code": 0,
        "collected_at": "now",
        "host": "row of compute.Host",
    },
    "compute.Environment": {"state": "ready", "lock": "numpy==2.4.6", "build": "row of compute.Workload"},
    "compute.EnvironmentRequest": {"state": "ready"},
    "compute.Host": {"state": "online"},
    "registry.ModelVersion": {"state": "ready"},
    "endpoints.Deployment": {"state": "live"},
}
# An edge needs two nodes.
LEFT_OUT = {"lineage.Edge"}


def main() -> None:
    """Tables, rows, and how many rows there are."""
    django.setup()
    MigrationExecutor(connection).migrate(RELEASE)
    apps = MigrationExecutor(connection).loader.project_state(RELEASE).apps
    filler = Filler(apps)
    for label in sorted({label for label, _ in RELEASE}):
        for model in apps.get_app_config(label).get_models():
            if model._meta.label not in LEFT_OUT:
                filler.row(model)
    json.dump(counts(), sys.stdout)


class Filler:
    """Makes one row of each model, and uses that wherever a row of it is needed."""

    def __init__(self, apps: Apps) -> None:
        self.apps = apps
        self.made: dict[str, Any] = {}

    def row(self, model: type[models.Model]) -> Any:
        """The row of the model."""
        label = model._meta.label
        if label not in self.made:
            values = {field.name: self.value(field) for field in model._meta.concrete_fields if self.is_wanted(field)}
            facts = {name: self.fact(fact) for name, fact in FACTS.get(label, {}).items()}
            self.made[label] = model._default_manager.create(**{**values, **facts})
        return self.made[label]

    def fact(self, fact: Any) -> Any:
        """What `FACTS` says: `now`, `row of app.Model`, or the value itself."""
        if fact == "now":
            return timezone.now()
        if isinstance(fact, str) and fact.startswith("row of "):
            return self.row(self.apps.get_model(fact.removeprefix("row of ")))
        return fact

    def is_wanted(self, field: Any) -> bool:
        """Whether the database asks for a value that the model does not bring."""
        if isinstance(field, models.AutoField) or field.has_default() or getattr(field, "auto_now_add", False):
            return False
        return not field.null

    def value(self, field: Any) -> Any:
        """A value of the field's kind."""
        if field.remote_field:
            return self.row(field.remote_field.model)
        if field.choices:
            return field.choices[0][0]
        kinds: dict[type[Any], Any] = {
            models.UUIDField: uuid4(),
            models.JSONField: {},
            models.DateTimeField: timezone.now(),
            models.BooleanField: False,
            models.EmailField: "ann@example.org",
        }
        for kind, value in kinds.items():
            if isinstance(field, kind):
                return value
        if isinstance(field, (models.IntegerField, models.FloatField, models.DecimalField)):
            return 1
        # A digest, where there is room for one.
        return "a" * 64 if field.max_length is None or field.max_length >= 64 else field.name[: field.max_length]


def counts() -> dict[str, int]:
    """How many rows each table of the platform holds."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'django%'")
        tables = [row[0] for row in cursor.fetchall()]
        found = {}
        for table in tables:
            cursor.execute(f'SELECT count(*) FROM "{table}"')
            found[table] = int(cursor.fetchone()[0])
    return found


if __name__ == "__main__":
    main()
