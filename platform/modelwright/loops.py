"""The watcher's loops: which ticks run, and how often. The one place where rooms are polled in turn."""

from __future__ import annotations

from jobs import collector, scheduler
from jobs.pushes import own as own_pushes
from models.approvals import testing
from models.availability import alerting
from models.availability import compacting as old_availability
from models.availability.scaler import Scaler
from models.batch import collecting, expiring
from models.endpoints import hastening, reconciler, silence
from models.events import delivering, ordering
from models.events import retention as event_retention
from models.predictions import compacting, partitions, reexecution, retention
from models.registry import compilation, importer, inspection
from models.replays import collecting as replays
from models.replays import drilling
from models.rollouts import controller as rollouts
from modelwright.accounts import idempotency
from modelwright.audit import sealing
from modelwright.celery import app
from modelwright.compute import copies, cut_off, environment_results, handing_in, redis_users, swarm_room, watcher
from modelwright.compute import silence as silent_hosts
from modelwright.compute.log_pieces import Shipper
from modelwright.compute.services import removal
from modelwright.core import counting
from modelwright.core.ticking import Loop
from modelwright.storage import unfinished
from projects.importing import carrying_out
from sessions import minding as sessions
from sessions.applications import minding as applications
from sessions.entering import minding as entering

# The watcher sends hints to workers, so its tasks must belong to the platform's Celery and not to an unconfigured one.
app.set_default()

_OWN = (
    Loop("heartbeat", watcher.heartbeat, 2.0),
    Loop("machines", swarm_room.READER.read, 2.0),
    Loop("cut-off", cut_off.end_when_cut_off, 1.0),
    Loop("workloads", watcher.tick, 1.0, watcher.News()),
    Loop("handing-in-runs", handing_in.tick_runs, 0.2),
    Loop("handing-in", handing_in.tick_others, 0.2),
    Loop("removed-environments", copies.forget_removed, 10.0),
    Loop("counts", counting.flush, counting.FLUSH_SECONDS),
)
# What a host does for itself whose disk the control plane cannot read: its logs are sent while they grow.
HOST_LOOPS = (*_OWN, Loop("log-pieces", Shipper().tick, 0.5))
# What one process does for the whole installation, wherever workloads ran.
CENTRAL_LOOPS = (
    Loop("silent-hosts", silent_hosts.judge, 1.0),
    Loop("removed-hosts", removal.end_access, 5.0),
    Loop("redis-users", redis_users.tick, 5.0),
    Loop("ended-runs", collector.collect_ended, 0.25, rests=1.0),
    Loop("ended-builds", environment_results.collect, 0.25, rests=1.0),
    Loop("schedules", scheduler.tick, 5.0),
    Loop("pushes", own_pushes.tick, 1.0),
    Loop("imports", carrying_out.Importer().tick, 1.0),
    Loop("session-table", sessions.publish, 0.2, rests=0.5),
    Loop("session-logins", entering.publish, 0.5),
    Loop("applications", applications.tick, 0.5, rests=1.0),
    Loop("idle-sessions", sessions.end_idle, 5.0),
    Loop("ended-sessions", sessions.collect, 0.5, rests=1.0),
    Loop("registrations", importer.tick, 0.5),
    Loop("inspections", inspection.collect, 0.5, rests=1.0),
    Loop("version-tests", testing.note_ended, 1.0),
    Loop("compilations", compilation.tick, 1.0),
    Loop("deployments", reconciler.tick, 0.25, rests=1.0),
    # Waits for what is asked for by itself: what is warm serves within milliseconds.
    Loop("warm-deployments", hastening.Listener().tick, 0.01),
    Loop("silent-replicas", silence.Watch().tick, 2.0),
    Loop("rollouts", rollouts.tick, 1.0),
    Loop("smoke-tests", rollouts.prove_tick, 1.0),
    Loop("ended-batch-jobs", collecting.collect, 0.5, rests=1.0),
    Loop("replica-numbers", Scaler().tick, 5.0),
    Loop("availability-alerts", alerting.tick, 15.0),
    Loop("old-availability", alerting.forget, 3600.0),
    Loop("availability-by-hour", old_availability.tick, 3600.0),
    Loop("re-executions", reexecution.tick, 0.5, rests=1.0),
    Loop("forgotten-answers", reexecution.forget_answers, 600.0),
    Loop("replays", replays.tick, 0.5, rests=1.0),
    Loop("forgotten-changes", replays.forget_changes, 600.0),
    Loop("drills", drilling.tick, 1.0),
    Loop("audit-seal", sealing.seal, 2.0),
    Loop("prediction-days", partitions.make_ahead, 600.0),
    Loop("old-counts", compacting.tick, 3600.0),
    Loop("prediction-retention", retention.tick, 300.0),
    Loop("event-positions", ordering.tick, 0.2),
    Loop("event-sinks", delivering.Deliverer().tick, 0.2),
    Loop("event-retention", event_retention.tick, 300.0),
    Loop("unfinished-uploads", unfinished.give_up, 3600.0),
    Loop("old-uploads", expiring.tick, 600.0),
    Loop("kept-answers", idempotency.forget_old_answers, 3600.0),
)
# One machine that is both.
LOOPS = (*_OWN, *CENTRAL_LOOPS)
