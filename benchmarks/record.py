"""What the record costs: the shipper against psql's `\\copy`, and pages, searches and charts while it grows.

    uv run python -m benchmarks.record [--rows 1000000] [--turns 5] [--turn-rows 50000]

Starts a PostgreSQL of its own, as durable as an installation's. First the shipper and psql take turns with the same
rows: the one ships them from a spool's segments, the other copies them from a file in the format of COPY into a twin of
the table (same days, same indexes), in one statement. Then the table is filled through the shipper, from ten thousand
predictions on by tens up to `--rows`. At each size: what the last rows cost each, and how long the server takes for
pages, searches and a day's chart (medians of seven, each asked through Django's client as a browser would, signed in),
with the number of queries. Ends with 1 where a bar is missed: half of psql's rate, 100 ms, and a cost for each
prediction that does not grow by more than what two measurements of the same differ.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from modelwright.local.layout import Layout
from modelwright.local.postgres import BINARIES, Postgres, open_way_to
from modelwright.local.process import start, wait_until

DAYS = 5
# Ten million in five days.
A_SECOND = 10_000_000 / (DAYS * 86_400)
SMALLEST = 10_000
CHUNK = 100_000
REPEATS = 7
RATE_BAR, MILLISECONDS_BAR = 0.5, 100.0
# Of what a prediction costs among few: turns of one size differ by as much.
GROWTH_BAR = 1.25
THRESHOLDS = (100_000, 20, 50)
LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Source:
    """Records as a gateway writes them, `A_SECOND` from `begin` on, one customer each."""

    def __init__(self, ids: dict[str, str], begin: datetime) -> None:
        self._ids = ids
        self._at = begin.timestamp()
        self._draw = random.Random(7)
        self.made = 0
        self.some_id = ""

    def record(self) -> dict[str, Any]:
        """The next one. One in fifty failed."""
        draw = self._draw
        at = self._at + self.made / A_SECOND
        tail = draw.getrandbits(62)
        self.made += 1
        self.some_id = f"{int(at * 1000) << 80 | 7 << 76 | self.made % 4096 << 64 | 2 << 62 | tail:032x}"
        is_failed = draw.random() < 0.02
        inputs = orjson.dumps([self._customer()])
        record: dict[str, Any] = {
            "id": self.some_id,
            "at": at,
            **self._ids,
            "protocol": "own",
            "served_by": "original",
            "rows": 1,
            "inputs_size": len(inputs),
            "inputs": orjson.Fragment(inputs),
            "outputs": [] if is_failed else [draw.choice(("stays", "leaves"))],
            "latency_ms": round(draw.lognormvariate(1.5, 0.6), 3),
            "status": 502 if is_failed else 200,
        }
        if is_failed:
            record["error"] = {"code": "model_error", "message": "could not convert string to float"}
        return record

    def _customer(self) -> dict[str, Any]:
        draw = self._draw
        return {
            "tenure": draw.randrange(72),
            "monthly_charges": round(draw.uniform(18, 120), 2),
            "total_charges": round(draw.uniform(18, 8000), 2),
            "contract": draw.choice(("month-to-month", "one year", "two years")),
            "payment": draw.choice(("card", "bank transfer", "check")),
            "city": "".join(draw.choices(LETTERS, k=7)),
            "senior": draw.random() < 0.2,
            "partner": draw.random() < 0.5,
        }


def spool(folder: Path, source: Source, count: int) -> None:
    """So many records as segments of 16 MB that no gateway writes to any more."""
    from models.gateway.spool import encode_record
    from models.gateway.spool_writer import SpoolWriter

    writer = SpoolWriter(folder, "benchmark", limit_bytes=2**62)
    for begin in range(0, count, 100):
        writer.append(b"".join(encode_record(source.record()) for _ in range(begin, min(begin + 100, count))))
    writer.close()


def ship(folder: Path) -> tuple[float, float]:
    """Ship all of it; wall and processor seconds of this process."""
    from models.predictions.shipping import ship_once

    began, used = time.perf_counter(), time.process_time()
    while ship_once(folder):
        pass
    taken = time.perf_counter() - began, time.process_time() - used
    left = list(folder.iterdir())
    if left:
        raise SystemExit(f"{len(left)} segments were not shipped")
    return taken


class Twin:
    """A table like that of the predictions, for psql."""

    def __init__(self, url: str, folder: Path) -> None:
        from django.db import connection

        from models.predictions.partitions import partitions

        self._url, self._file = url, folder / "rows.copy"
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE TABLE twin (LIKE predictions_prediction INCLUDING DEFAULTS INCLUDING CONSTRAINTS) "
                "PARTITION BY RANGE (id)"
            )
            for part in partitions():
                first = f"'{part.start}'" if part.start else "MINVALUE"
                bounds = f"FROM ({first}) TO ('{part.end}')"
                cursor.execute(f"CREATE TABLE twin_{part.name} PARTITION OF twin FOR VALUES {bounds}")
            cursor.execute("ALTER TABLE twin ADD PRIMARY KEY (id)")
            cursor.execute("CREATE INDEX ON twin (endpoint_id, id DESC)")
            cursor.execute("CREATE INDEX ON twin (deployment_id, id DESC)")
            cursor.execute("CREATE INDEX ON twin (endpoint_id, id DESC) WHERE NOT (status = 200)")

    def take(self, after: str) -> None:
        """Write what the shipper stored after that id to a file."""
        self._psql(f"\\copy (SELECT * FROM predictions_prediction WHERE id > '{after}') TO '{self._file}'")

    def copy(self) -> float:
        """Seconds that psql takes to copy it into the twin, its own start included."""
        began = time.perf_counter()
        self._psql(f"\\copy twin FROM '{self._file}'")
        return time.perf_counter() - began

    def _psql(self, command: str) -> None:
        subprocess.run([str(BINARIES / "psql"), "-qX", "-v", "ON_ERROR_STOP=1", "-c", command, self._url], check=True)


def in_turns(given: argparse.Namespace, source: Source, folder: Path, twin: Twin) -> float:
    """The median of what share of psql's rate the shipper has."""
    shares = []
    for turn in range(given.turns):
        after = source.some_id or "0" * 32
        spool(folder, source, given.turn_rows)
        wall, used = ship(folder)
        twin.take(after)
        copied = twin.copy()
        shares.append(copied / wall)
        print(
            f"turn {turn + 1}: shipper {given.turn_rows / wall:,.0f} rows/s "
            f"({used / given.turn_rows * 1e6:.1f} CPU µs of its own a row), "
            f"psql {given.turn_rows / copied:,.0f} rows/s: {shares[-1]:.2f}",
            flush=True,
        )
    return statistics.median(shares)


def sizes(largest: int) -> Iterator[int]:
    """Ten thousand, and so on by tens."""
    size = SMALLEST
    while size <= largest:
        yield size
        size *= 10


def fill(source: Source, folder: Path, until: int) -> tuple[float, float]:
    """Go on until so many are made; wall and processor microseconds of each of the last ones."""
    wall = used = 0.0
    count = 1
    while source.made < until:
        count = min(CHUNK, until - source.made)
        spool(folder, source, count)
        wall, used = ship(folder)
    return wall / count * 1e6, used / count * 1e6


def asked(client: Any, endpoint: Any, day: datetime, some_id: str) -> dict[str, Callable[[], object]]:
    """What is timed at each size."""
    from models.predictions.rates import buckets_of

    page = f"/endpoints/{endpoint.pk}/"
    rest = f"/api/v1/endpoints/{endpoint.pk}/predictions/"
    day_text = day.date().isoformat()
    days = {"since": day_text, "until": day_text}

    def get(address: str, **params: str) -> Callable[[], object]:
        def ask() -> object:
            response = client.get(address, params)
            if response.status_code != 200:
                raise SystemExit(f"{address} {params}: {response.status_code} {response.content[:300]!r}")
            return response

        return ask

    return {
        "the endpoint's page": get(page),
        "its newest predictions": get(f"{page}predictions/recent/"),
        "the list of predictions": get(f"{page}predictions/"),
        "REST, a page of 50": get(rest),
        "search by id": get(f"{page}predictions/", id=some_id),
        "that prediction's page": get(f"/predictions/{some_id}/"),
        "failures of a day": get(rest, status="failed", **days),
        "a value that many have": get(rest, column="contract", op="eq", value="one year"),
        "a value that none has": get(rest, column="city", op="eq", value="nowhere", **days),
        "numbers of a day": get(rest, column="monthly_charges", op="gt", value="119.9", **days),
        "a day's chart, by 5 minutes": lambda: buckets_of(endpoint, day, day + timedelta(days=1), timedelta(minutes=5)),
    }


class Counting(logging.Handler):
    """Counts queries, in whichever thread Django answers."""

    def __init__(self) -> None:
        super().__init__()
        self.queries = 0

    def emit(self, record: logging.LogRecord) -> None:
        """One more."""
        statement = record.getMessage().partition(") ")[2].lstrip()
        self.queries += statement.startswith(("SELECT", "INSERT", "UPDATE", "DELETE"))


def milliseconds(step: Callable[[], object]) -> tuple[float, float, int]:
    """Medians of what it takes, in all and of this process' processor; and the number of queries."""
    from django.test.utils import override_settings

    counting, logger = Counting(), logging.getLogger("django.db.backends")
    level, propagates = logger.level, logger.propagate
    logger.addHandler(counting)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    with override_settings(DEBUG=True):
        step()
    logger.removeHandler(counting)
    logger.setLevel(level)
    logger.propagate = propagates
    taken, used = [], []
    for _ in range(REPEATS):
        began, began_to_use = time.perf_counter(), time.process_time()
        step()
        taken.append((time.perf_counter() - began) * 1000)
        used.append((time.process_time() - began_to_use) * 1000)
    return statistics.median(taken), statistics.median(used), counting.queries


def measure(given: argparse.Namespace, url: str, work: Path) -> bool:
    """All of it; whether every bar is met."""
    from django.db import connection
    from django.test import Client

    from models.predictions import partitions

    begin = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    for number in range(DAYS):
        partitions.make_ahead((begin + timedelta(days=number)).date())
    endpoint, user, ids = make_endpoint()
    client = Client()
    client.force_login(user)
    folder = work / "spool"
    folder.mkdir()
    share = in_turns(given, Source(ids, begin), folder, Twin(url, work))
    print(f"the shipper has {share:.2f} of psql's rate; the bar is {RATE_BAR}", flush=True)
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE predictions_prediction, predictions_predictionbucket, twin")
    source, slowest, costs = Source(ids, begin), 0.0, []
    for size in sizes(max(given.rows, SMALLEST)):
        wall, used = fill(source, folder, size)
        costs.append(wall)
        # What autovacuum does within a minute or so.
        with connection.cursor() as cursor:
            cursor.execute("VACUUM (ANALYZE) predictions_prediction, predictions_predictionbucket")
        print(f"\n{size:,} predictions: {wall:.1f} µs each ({used:.1f} CPU µs of the shipper)", flush=True)
        for name, step in asked(client, endpoint, begin, source.some_id).items():
            taken, used_here, queries = milliseconds(step)
            slowest = max(slowest, taken)
            print(f"  {name}: {taken:.1f} ms ({used_here:.1f} CPU ms here), {queries} queries", flush=True)
    print(f"\nthe slowest took {slowest:.1f} ms; the bar is {MILLISECONDS_BAR:.0f}")
    growth = costs[-1] / costs[0]
    print(f"at the last size a prediction costs {growth:.2f} of what it costs at the first; the bar is {GROWTH_BAR}")
    return share >= RATE_BAR and slowest < MILLISECONDS_BAR and growth <= GROWTH_BAR


def make_endpoint() -> tuple[Any, Any, dict[str, str]]:
    """An endpoint with a live deployment, an administrator, and the ids that records name."""
    from models.endpoints import services
    from models.endpoints.models import Deployment, EndpointKey
    from models.registry.models import ModelVersion, RegisteredModel
    from modelwright.accounts.actors import Actor
    from modelwright.accounts.services import create_user
    from projects.models import Project
    from workspaces.models import Workspace

    user = create_user(
        username="ann", password="correct horse battery", is_site_admin=True, acting_user=Actor.system("benchmark")
    )
    project = Project.objects.create(workspace=Workspace.objects.create(name="acme"), name="churn")
    model = RegisteredModel.objects.create(project=project, name="churn")
    kinds = {"tenure": "long", "monthly_charges": "double", "total_charges": "double", "senior": "boolean"}
    names = (*kinds, "partner", "contract", "payment", "city")
    signature = {"inputs": [{"name": n, "type": kinds.get(n, "string")} for n in names], "outputs": []}
    version = ModelVersion.objects.create(
        model=model, number=1, state="ready", source="x", artifact_digest="a" * 64, signature=signature
    )
    endpoint = services.create_endpoint(project=project, name="churn", acting_user=Actor.person(user))
    deployment = services.deploy(endpoint, model_version=version, acting_user=Actor.person(user))
    Deployment.objects.filter(pk=deployment.pk).update(state="live", live_at=deployment.created_at)
    endpoint.refresh_from_db()
    named = {"endpoint_id": endpoint.pk, "deployment_id": deployment.pk, "model_version_id": version.pk}
    key = EndpointKey.objects.get(endpoint=endpoint)
    return endpoint, user, {name: str(value) for name, value in {**named, "key_id": key.pk}.items()}


def main() -> int:
    """Start what is needed, measure, end it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="the largest size")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--turn-rows", type=int, default=50_000)
    given = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="mwb-", dir="/tmp"))
    layout = Layout(work)
    layout.create()
    server = Postgres(layout.postgres)
    server.prepare()
    open_way_to(layout.postgres / "data")
    child = start(server.program(), layout.logs / "postgres.log")
    try:
        wait_until(child.program.ready, child, 90)
        server.create_databases()
        url = server.url("modelwright")
        os.environ |= {
            "DATABASE_URL": url,
            "MODELWRIGHT_DATA_DIR": str(work),
            "MODELWRIGHT_LOG_LEVEL": "WARNING",
            "DJANGO_SETTINGS_MODULE": "modelwright.settings",
        }
        # As `manage.py ship` does.
        gc.set_threshold(*THRESHOLDS)
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        return 0 if measure(given, url, work) else 1
    finally:
        child.ask_to_stop()
        child.wait_or_kill(60)
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
