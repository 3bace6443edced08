"""How the platform stands, as families: read from the database and the broker when somebody asks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import redis
from django.conf import settings
from django.db import connection, transaction

from modelwright.compute.models import Host
from modelwright.core.exposition import Family
from modelwright.core.queues import DEFAULT, host_queue
from modelwright.observability import health, store

QUERY_MILLISECONDS = 5000
BROKER_SECONDS = 2


def everything() -> list[Family]:
    """Every family of `/metrics`. What does not answer is told by `modelwright_up`, and the rest without it."""
    began = time.monotonic()
    found = [_up()]
    if _value(found[0], "database"):
        found += _in_one_transaction((_sums, _workloads, _hosts, _serving, _availability, _database, _spool, _events))
    if _value(found[0], "broker"):
        found += _broker()
    scrape = Family("modelwright_scrape_seconds", "gauge", "How long it took to collect these metrics.")
    scrape.add(time.monotonic() - began)
    return [*found, scrape]


def _up() -> Family:
    family = Family("modelwright_up", "gauge", "1 where that part of the platform is well.")
    for name, fault in health.checks().items():
        family.add(0 if fault else 1, part=name)
    return family


def _value(family: Family, part: str) -> float:
    return next(value for labels, value, _ in family.samples if labels == (("part", part),))


def _in_one_transaction(parts: Sequence[Callable[[], Iterable[Family]]]) -> list[Family]:
    """One view of the database, and none of it may keep the database busy for long."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(QUERY_MILLISECONDS)])
        return [family for part in parts for family in part()]


def _sums() -> Iterable[Family]:
    return store.families()


def _rows(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def _table(name: str, help: str, labels: Sequence[str], rows: Iterable[Sequence[Any]]) -> Family:
    """A gauge for each row: its labels, then its value."""
    family = Family(name, "gauge", help)
    for *own, value in rows:
        family.add(float(value or 0), **dict(zip(labels, map(str, own), strict=True)))
    return family


def _workloads() -> Iterable[Family]:
    live = "('queued', 'placed', 'starting', 'running')"
    yield _table(
        "modelwright_workloads",
        "Workloads that are not over, by kind and state.",
        ("kind", "state"),
        _rows(f"SELECT kind, state, count(*) FROM compute_workload WHERE state IN {live} GROUP BY 1, 2 ORDER BY 1, 2"),  # noqa: S608
    )
    yield _table(
        "modelwright_queue_oldest_seconds",
        "How long the workload that has waited longest for a place has waited, 0 when none waits.",
        (),
        _rows(
            "SELECT coalesce(extract(epoch FROM now() - min(queued_at)), 0) FROM compute_workload"
            " WHERE state = 'queued'"
        ),
    )


_HOSTS = """
SELECT h.name, h.cpu, h.memory_bytes, jsonb_array_length(h.gpus), extract(epoch FROM now() - h.heartbeat_at),
       coalesce(sum(w.cpu), 0), coalesce(sum(w.memory_bytes), 0), coalesce(sum(w.gpus), 0), count(w.id)
  FROM compute_host h
  LEFT JOIN compute_workload w ON w.host_id = h.id AND w.state IN ('placed', 'starting', 'running')
 WHERE h.state <> 'removed' GROUP BY h.id ORDER BY h.name
"""
_HOST_GAUGES = (
    ("modelwright_host_cpu", "Cores that workloads may reserve on the host."),
    ("modelwright_host_memory_bytes", "Memory that workloads may reserve on the host."),
    ("modelwright_host_gpus", "GPUs that workloads may reserve on the host."),
    ("modelwright_host_heartbeat_age_seconds", "How long ago the host's watcher gave its last sign of life."),
    ("modelwright_host_reserved_cpu", "Cores that workloads have reserved on the host."),
    ("modelwright_host_reserved_memory_bytes", "Memory that workloads have reserved on the host."),
    ("modelwright_host_reserved_gpus", "GPUs that workloads have reserved on the host."),
    ("modelwright_host_workloads", "Workloads on the host that are not over."),
)


def _hosts() -> Iterable[Family]:
    states = "SELECT state, count(*) FROM compute_host WHERE state <> 'removed' GROUP BY 1 ORDER BY 1"
    yield _table("modelwright_hosts", "Hosts by state.", ("state",), _rows(states))
    rows = _rows(_HOSTS)
    for place, (name, help) in enumerate(_HOST_GAUGES, 1):
        yield _table(name, help, ("host",), [(row[0], row[place]) for row in rows])


_REPLICAS = """
SELECT w.name || '/' || e.name,
       CASE WHEN r.healthy_at IS NULL THEN 'starting' WHEN r.silent_since IS NULL THEN 'healthy' ELSE 'silent' END,
       count(*)
  FROM endpoints_replica r
  JOIN compute_workload c ON c.id = r.workload_id AND c.state IN ('queued', 'placed', 'starting', 'running')
  JOIN endpoints_endpoint e ON e.id = r.endpoint_id
  JOIN workspaces_workspace w ON w.id = e.workspace_id
 GROUP BY 1, 2 ORDER BY 1, 2
"""


def _serving() -> Iterable[Family]:
    states = "SELECT state, count(*) FROM endpoints_endpoint GROUP BY 1 ORDER BY 1"
    yield _table("modelwright_endpoints", "Endpoints by state.", ("state",), _rows(states))
    yield _table(
        "modelwright_replicas",
        "Replicas that are not over, by endpoint and whether they answer.",
        ("endpoint", "state"),
        _rows(_REPLICAS),
    )


_NAMED = "JOIN workspaces_workspace w ON w.id = e.workspace_id"
_WANTED = f"""
SELECT w.name || '/' || e.name, greatest(least(e.wanted_replicas, e.max_replicas), e.min_replicas, 1)
  FROM endpoints_endpoint e {_NAMED} WHERE e.state IN ('active') ORDER BY 1
"""  # noqa: S608 - no value is in it
_BURNING = f"""
SELECT w.name || '/' || e.name, l.name,
       coalesce(sum(m.refused + m.failed)::float / nullif(sum(m.answered + m.refused + m.failed), 0), 0)
         / (1 - e.availability_target / 100)
  FROM endpoints_endpoint e {_NAMED}
 CROSS JOIN (VALUES ('5m', interval '5 minutes'), ('1h', interval '1 hour'), ('6h', interval '6 hours'))
       l (name, length)
  LEFT JOIN availability_availabilityminute m ON m.endpoint_id = e.id AND m.minute > now() - l.length
 WHERE e.availability_target IS NOT NULL
 GROUP BY 1, 2, e.availability_target ORDER BY 1, 2
"""  # noqa: S608 - no value is in it
_ALERTS = f"""
SELECT w.name || '/' || e.name, a.severity, count(*)
  FROM availability_availabilityalert a JOIN endpoints_endpoint e ON e.id = a.endpoint_id {_NAMED}
 WHERE a.state IN ('open') GROUP BY 1, 2 ORDER BY 1, 2
"""  # noqa: S608 - no value is in it


def _availability() -> Iterable[Family]:
    yield _table(
        "modelwright_endpoint_wanted_replicas",
        "Replicas that are wanted of each version that takes requests.",
        ("endpoint",),
        _rows(_WANTED),
    )
    yield _table(
        "modelwright_endpoint_burn_rate",
        "How many times as fast as its target allows an endpoint uses up its error budget.",
        ("endpoint", "window"),
        _rows(_BURNING),
    )
    yield _table(
        "modelwright_availability_alerts",
        "Alerts that are open, of endpoints that use up their error budget too fast.",
        ("endpoint", "severity"),
        _rows(_ALERTS),
    )


def _database() -> Iterable[Family]:
    size = "SELECT pg_database_size(current_database())"
    yield _table("modelwright_database_bytes", "Size of the platform's database.", (), _rows(size))
    connections = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    yield _table("modelwright_database_connections", "Connections to the platform's database.", (), _rows(connections))


def _broker() -> Iterable[Family]:
    queues = [DEFAULT, *map(host_queue, Host.objects.exclude(state="removed").values_list("name", flat=True))]
    client = redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=BROKER_SECONDS, socket_connect_timeout=BROKER_SECONDS
    )
    try:
        lengths: Mapping[str, Any] = {queue: client.llen(queue) for queue in queues}
    except redis.RedisError:
        return []
    finally:
        client.close()
    return [
        _table("modelwright_queue_messages", "Messages that wait for a worker.", ("queue",), sorted(lengths.items()))
    ]


_SPOOL_GAUGES = (
    (
        "modelwright_spool_waiting_bytes",
        "Acknowledged predictions in the host's spools, not in the database yet.",
    ),
    ("modelwright_spool_oldest_seconds", "How long the oldest of them has waited, 0 when none waits."),
    ("modelwright_spool_seen_seconds", "How long ago the host's shipper last looked."),
)


def _spool() -> Iterable[Family]:
    rows = _rows(
        "SELECT host, waiting_bytes, greatest(extract(epoch FROM now() - oldest_at), 0),"
        " extract(epoch FROM now() - seen_at) FROM predictions_spoolstate ORDER BY host"
    )
    for place, (name, help) in enumerate(_SPOOL_GAUGES, 1):
        yield _table(name, help, ("host",), [(row[0], row[place]) for row in rows])


_SINKS = """
SELECT p.name, s.name, greatest(coalesce((SELECT max(position) FROM events_streamhead), 0) - s.position, 0),
       greatest(coalesce(extract(epoch FROM now() - s.failing_since), 0), 0),
       (SELECT count(*) FROM events_deadletter d WHERE d.sink_id = s.id AND d.state IN ('dead', 'held', 'due'))
  FROM events_sink s JOIN projects_project p ON p.id = s.project_id ORDER BY 1, 2
"""
_SINK_GAUGES = (
    ("modelwright_event_sink_position_lag", "Positions between the stream's head and what the sink is done with."),
    ("modelwright_event_sink_failing_seconds", "How long the sink has taken nothing, 0 when it is well."),
    ("modelwright_event_sink_dead_letters", "Events that the sink did not take and that nobody has settled."),
)


def _events() -> Iterable[Family]:
    head = "SELECT coalesce(max(position), 0) FROM events_streamhead"
    yield _table("modelwright_event_stream_position", "Position of the newest thing in the stream.", (), _rows(head))
    unordered = "SELECT coalesce(sum(size), 0) FROM events_arrival WHERE first IS NULL"
    yield _table("modelwright_event_unordered", "Things that have no position in the stream yet.", (), _rows(unordered))
    rows = _rows(_SINKS)
    for place, (name, help) in enumerate(_SINK_GAUGES, 2):
        yield _table(name, help, ("project", "sink"), [(*row[:2], row[place]) for row in rows])
    lag = f"SELECT name, greatest(({head}) - position, 0) FROM events_subscriber ORDER BY name"  # noqa: S608
    help = "Positions between the stream's head and what a subscriber inside is done with."
    yield _table("modelwright_event_subscriber_lag", help, ("subscriber",), _rows(lag))
