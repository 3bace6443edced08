"""The gateway's exposition: what it counted, how things stand now, and what replicas say of themselves."""

from __future__ import annotations

from collections.abc import Iterator

from modelwright_runtime.server.vitals import memory_bytes

from models.gateway import pongs
from models.gateway.addresses import ENTRANCE_SCHEME, SCHEME
from models.gateway.fleet import Fleet
from models.gateway.metrics import Metrics
from models.gateway.routes import RouteTable
from models.gateway.spool_writer import SpoolWriter
from modelwright.core.exposition import Family, Kind, render


def exposition(
    table: RouteTable, fleet: Fleet, spool: SpoolWriter, metrics: Metrics, *, with_replicas: bool = True
) -> bytes:
    """In Prometheus' text format. Endpoints that the table does not name any more are left out.

    Without replicas it is what other processes of the gateway need: each of them asks all replicas by itself.
    """
    found = [
        *metrics.families(table.endpoints),
        *_queues(table, fleet),
        _one("modelwright_gateway_replicas_connected", "gauge", "Replicas with a connection.", fleet.connected()),
        _one("modelwright_gateway_routes_revision", "gauge", "Revision of the route table in use.", table.revision),
        _one("modelwright_gateway_spool_bytes", "gauge", "Predictions that are not shipped yet.", spool.total_bytes),
        _one(
            "modelwright_gateway_refusing",
            "gauge",
            "1 while requests are refused because their predictions could not be recorded.",
            spool.refusal() is not None,
        ),
        _one("modelwright_gateway_memory_bytes", "gauge", "Memory that the gateway uses.", memory_bytes()),
    ]
    return render([*found, *pongs.families(_told(table, fleet))] if with_replicas else found)


def _one(name: str, kind: Kind, help: str, value: float) -> Family:
    family = Family(name, kind, help)
    family.add(value)
    return family


def _queues(table: RouteTable, fleet: Fleet) -> tuple[Family, ...]:
    requests = Family("modelwright_gateway_waiting_requests", "gauge", "Requests that wait for a replica.")
    rows = Family("modelwright_gateway_waiting_rows", "gauge", "Rows of the requests that wait for a replica.")
    flying = Family("modelwright_gateway_rows_in_flight", "gauge", "Rows that replicas work on.")
    for name, endpoint in sorted(table.endpoints.items()):
        queues = [queue for queue in map(fleet.queue, endpoint.targets) if queue is not None]
        requests.add(sum(queue.requests_waiting for queue in queues), endpoint=name)
        rows.add(sum(queue.rows_waiting for queue in queues), endpoint=name)
        flying.add(sum(queue.rows_in_flight for queue in queues), endpoint=name)
    return requests, rows, flying


def _told(table: RouteTable, fleet: Fleet) -> Iterator[pongs.Told]:
    seen = set()
    for name, endpoint in sorted(table.endpoints.items()):
        for target in endpoint.targets:
            for path in target.sockets:
                replica = fleet.replica(path)
                if replica is None or path in seen:
                    continue
                seen.add(path)
                labels = (("endpoint", name), ("model", target.model), ("version", str(target.version)))
                yield pongs.Told((*labels, ("replica", _name(path))), replica.is_connected, replica.pong)


def _name(path: str) -> str:
    """`<workload id>-<fence>`: the end of a bridge's address, the folder of a socket."""
    parts = path.rsplit("/", 2)
    return parts[-1] if path.startswith((SCHEME, ENTRANCE_SCHEME)) or len(parts) < 3 or parts[-1] != "s" else parts[-2]
