"""Batch jobs of the matrix's project: one that waits, one that was cancelled, one that is done."""

from __future__ import annotations

import io
import time
from typing import Any

from models.batch import services, working
from models.batch.models import BatchJob
from models.batch.sources import Wanted
from models.registry.models import ModelVersion
from modelwright.accounts.actors import Actor
from modelwright.compute.models import Environment, EnvironmentRequest
from projects.models import Project

SYSTEM = Actor.system("tests")


def add_batch(project: Project, version: ModelVersion) -> dict[str, Any]:
    """What the addresses of batch jobs name."""
    if version.environment_request is None:
        environment, _ = Environment.objects.get_or_create(
            lock_digest="0" * 64, defaults={"lock": "", "python_version": "3.11"}
        )
        version.environment_request = EnvironmentRequest.objects.create(
            requirements_digest="1" * 64, python_version="3.11", state="ready", environment=environment
        )
        version.save(update_fields=["environment_request"])
    content = io.BytesIO(b"tenure\n3\n")
    made = services.add_input(project, name="rows.csv", stream=content, acting_user=SYSTEM)
    request = services.BatchRequest(version, Wanted("upload", input=made.pk))
    done, cancelled, waiting = (services.start(project, request, acting_user=SYSTEM) for _ in range(3))
    services.cancel(cancelled, acting_user=SYSTEM)
    _finish(done)
    return {"batch_id": waiting.pk, "ended_batch_id": cancelled.pk, "done_batch_id": done.pk, "number": 0}


def _finish(job: BatchJob) -> None:
    """As its process would."""
    working.begin(job)
    header = {
        "first_row": 1,
        "rows": 1,
        "seconds": 0.1,
        "milliseconds": int(time.time() * 1000),
        "last_key": "",
        "columns": ["tenure"],
        "records": [[3.0]],
        "raw": {},
        "predictions": [1],
        "classes": None,
        "probabilities": None,
        "errors": [],
    }
    part = b"row,prediction\n1,1\n"
    working.store_chunk(job, 0, header, io.BytesIO(part))
    working.store_output(job, io.BytesIO(part))
    working.finish(job, rows=1, chunks=1)
