"""Takes over what was registered in MLflow: one tick imports what waits in the outbox. Doing it twice is harmless."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from uuid import UUID

import psycopg
from django.db import DataError, InterfaceError, OperationalError
from django.db import Error as DatabaseError

from jobs.tracking.aliases import is_protected
from models.registry import inspection, services, snapshots, sources
from models.registry.models import ModelVersion, RegisteredModel
from models.registry.outbox import Entry, Outbox
from models.registry.registrants import registrant_of
from modelwright.accounts.actors import Actor
from modelwright.core.errors import Conflict, PlatformError, ValidationFailed
from modelwright.storage.settings import blob_store
from projects.models import Project

logger = logging.getLogger(__name__)

IMPORTER = Actor.system("model importer")
BATCH = 50
# What may pass by itself (a full disk, a database that restarts) is tried again after these pauses, in seconds.
PAUSES = (1, 2, 5, 15, 60)


class Wait(Exception):
    """The entry depends on another one that has not been imported yet."""


@dataclass
class _Trouble:
    attempts: int = 0
    again_at: float = 0.0


@dataclass
class Importer:
    """Keeps a connection to MLflow's database and remembers which entries have trouble."""

    outbox: Outbox = field(default_factory=Outbox)
    _troubles: dict[int, _Trouble] = field(default_factory=dict)

    def tick(self) -> int:
        """Import what waits; return how many entries were. Raises psycopg.Error while MLflow's database is away."""
        done, looked_at = 0, self._resting()
        for _ in range(BATCH):
            try:
                with self.outbox.take(looked_at) as entry:
                    if entry is None:
                        break
                    looked_at.append(entry.id)
                    self._import(entry)
                    done += 1
                    self._troubles.pop(entry.id, None)
            except Wait:
                continue
            except (psycopg.OperationalError, OperationalError, InterfaceError):
                raise
            except Exception as error:  # one entry's trouble must not keep the others waiting
                self._note(looked_at[-1], error)
        self._take_over_again()
        return done

    def _resting(self) -> list[int]:
        now = time.monotonic()
        return [entry_id for entry_id, trouble in self._troubles.items() if trouble.again_at > now]

    def _note(self, entry_id: int, error: Exception) -> None:
        trouble = self._troubles.setdefault(entry_id, _Trouble())
        pause = PAUSES[min(trouble.attempts, len(PAUSES) - 1)]
        trouble.attempts, trouble.again_at = trouble.attempts + 1, time.monotonic() + pause
        if trouble.attempts == 1:
            unexpected = not isinstance(error, (OSError, PlatformError))
            logger.warning(
                "outbox entry %s could not be imported and is tried again: %s", entry_id, error, exc_info=unexpected
            )

    def _take_over_again(self) -> None:
        """What a person had tried again before there was a snapshot: its outbox entry is imported already."""
        waiting = ModelVersion.objects.filter(state="importing", manifest_digest="").select_related("model__project")
        for version in waiting.order_by("pk")[:10]:
            entry = self.outbox.registration(version.model.project.mlflow_workspace, version.model.name, version.number)
            if entry is not None:
                self._take_over(version, entry)

    def _import(self, entry: Entry) -> None:
        project = _project(entry.workspace)
        if project is None:
            logger.warning("outbox entry %s is of %s, which is no project's workspace", entry.id, entry.workspace)
            return
        if entry.kind in ("version_created", "version_changed"):
            self._import_version(project, entry)
        elif entry.alias and is_protected(entry.alias):
            pass  # Approvals alone set it, and told MLflow of it.
        elif entry.kind == "alias_set":
            _import_alias(project, entry)
        elif entry.kind == "alias_removed":
            model = RegisteredModel.objects.filter(project=project, name=entry.name).first()
            if model is not None:
                services.remove_alias(model, name=entry.alias, acting_user=IMPORTER)

    def _import_version(self, project: Project, entry: Entry) -> None:
        description = str(entry.payload.get("description") or "")
        version = services.register(
            project=project,
            name=entry.name,
            number=entry.version,
            source=str(entry.payload.get("source") or ""),
            description=description,
            registered_by=registrant_of(self.outbox.connection, entry),
            acting_user=IMPORTER,
        )
        services.describe(version, description=description, acting_user=IMPORTER)
        if version.state == "importing" and not version.manifest_digest:
            self._take_over(version, entry)
        version.refresh_from_db()
        if version.state == "importing" and version.inspection is None:
            inspection.start(version, acting_user=IMPORTER)

    def _take_over(self, version: ModelVersion, entry: Entry) -> None:
        try:
            source = sources.find(self.outbox.connection, entry)
            snapshot = snapshots.take(blob_store(), source.folder)
        except sources.Refused as error:
            services.refuse(version, reason=str(error), acting_user=IMPORTER)
        except ValidationFailed as error:
            services.fail(version, reason=f"{error.message} {error.remedy}".strip(), acting_user=IMPORTER)
        else:
            try:
                services.take_over(version, source=source, snapshot=snapshot, acting_user=IMPORTER)
            except DataError as error:
                reason = f"What the model says of itself cannot be stored: {error}"
                services.fail(version, reason=reason[:1000], acting_user=IMPORTER)


def _import_alias(project: Project, entry: Entry) -> None:
    version = (
        ModelVersion.objects.select_related("model__project")
        .filter(model__project=project, model__name=entry.name, number=entry.version)
        .first()
    )
    if version is None:
        raise Wait
    try:
        services.set_alias(version.model, name=entry.alias, version=version, acting_user=IMPORTER)
    except Conflict as error:
        logger.warning("alias %s of %s was not taken over: %s", entry.alias, entry.name, error)


def _project(workspace: str) -> Project | None:
    try:
        project_id = UUID(hex=workspace.removeprefix("p-"))
    except ValueError:
        return None
    project: Project | None = Project.objects.select_related("workspace").filter(pk=project_id).first()
    return project if project is not None and project.mlflow_workspace == workspace else None


_importer = Importer()


def tick() -> int:
    """One round of this process's importer, then of what was left behind; see `Importer.tick`."""
    try:
        done = _importer.tick()
    except (psycopg.Error, DatabaseError):
        _importer.outbox.close()
        raise
    inspection.start_missing(acting_user=IMPORTER)
    return done
