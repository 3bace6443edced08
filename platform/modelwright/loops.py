"""The watcher's loops: which ticks run, and how often. The one place where rooms are polled in turn."""

from __future__ import annotations

from jobs import collector, scheduler
from models.endpoints import reconciler
from models.registry import importer, inspection
from modelwright.accounts import idempotency
from modelwright.audit import sealing
from modelwright.celery import app
from modelwright.compute import watcher
from modelwright.core.ticking import Loop

# The watcher sends hints to workers, so its tasks must belong to the platform's Celery and not to an unconfigured one.
app.set_default()

# What every host does for itself: its workloads, and handing in what they left.
HOST_LOOPS = (Loop("workloads", watcher.tick, 1.0),)
# What one process does for the whole installation, wherever workloads ran.
CENTRAL_LOOPS = (
    Loop("ended-runs", collector.collect_ended, 0.5),
    Loop("schedules", scheduler.tick, 5.0),
    Loop("registrations", importer.tick, 0.5),
    Loop("inspections", inspection.collect, 0.5),
    # A rollback is as quick as this: its replicas are warm, and what is left is a new route table.
    Loop("deployments", reconciler.tick, 0.25),
    Loop("audit-seal", sealing.seal, 2.0),
    Loop("kept-answers", idempotency.forget_old_answers, 3600.0),
)
# One machine that is both.
LOOPS = (*HOST_LOOPS, *CENTRAL_LOOPS)
