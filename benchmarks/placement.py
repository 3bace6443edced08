"""What a round of placement costs: many hosts, many live workloads, a long queue.

    PYTHONPATH=.:platform:platform/runtime python benchmarks/placement.py
        [--hosts 50] [--live 400] [--queued 500] [--workspaces 10]

Starts a PostgreSQL of its own and fills it. Prints seconds for a round in which nothing fits, first with reasons and
estimates written for all and then with none due; for one in which one host is free; and for a message about a
workload that a round has looked at already.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelwright.local.layout import Layout
from modelwright.local.postgres import Postgres
from modelwright.local.process import start, wait_until


def seconds(step: Callable[[], object], turns: int = 5, before: Callable[[], object] = lambda: None) -> str:
    """Median and range of some turns."""
    taken = []
    for _ in range(turns):
        before()
        begun = time.perf_counter()
        step()
        taken.append(time.perf_counter() - begun)
    return f"{statistics.median(taken):.3f} s ({min(taken):.3f} to {max(taken):.3f})"


def measure(given: argparse.Namespace) -> None:
    """Fill the database and take the times."""
    from datetime import timedelta

    from django.db.models import Max
    from django.utils import timezone

    from modelwright.compute import placement
    from modelwright.compute.models import GIB, Host, Workload
    from modelwright.core.ids import new_id

    workspaces = [new_id() for _ in range(given.workspaces)]
    hosts = Host.objects.bulk_create(
        Host(name=f"host-{number:03}", cpu=8, memory_bytes=32 * GIB) for number in range(given.hosts)
    )
    now = timezone.now()

    def row(number: int, **more: Any) -> Workload:
        values: dict[str, Any] = {
            "kind": "run",
            "name": f"churn/train-{number % 20} #{number}",
            "project_id": workspaces[number % len(workspaces)],
            "workspace_id": workspaces[number % len(workspaces)],
            "cpu": 1.0,
            "memory_bytes": 4 * GIB,
            "timeout_seconds": 3600,
            "spec": {"command": ["x"] * 20, "environment": {}, "files": {}},
            "created_by": "benchmark",
        }
        return Workload(**(values | more))

    Workload.objects.bulk_create(
        row(number, state="running", fence=number, host=hosts[number % len(hosts)], placed_at=now, started_at=now)
        for number in range(given.live)
    )
    Workload.objects.bulk_create(row(number) for number in range(given.queued))
    Workload.objects.bulk_create(
        row(number, state="succeeded", started_at=now - timedelta(minutes=5), finished_at=now)
        for number in range(20_000)
    )
    queued = Workload.objects.filter(state="queued")

    def everything_due() -> None:
        queued.update(available_at=now, hinted_at=now)

    def end_eight() -> None:
        some = Workload.objects.filter(state="running").values("pk")[:8]
        Workload.objects.filter(pk__in=some).update(state="succeeded", finished_at=now)

    print(f"{given.hosts} hosts, {given.live} live, {given.queued} queued, {len(workspaces)} workspaces")
    print("nothing fits, all reasons due:  ", seconds(placement.place_queue, before=everything_due))
    print("nothing fits, no reason due:    ", seconds(placement.place_queue))
    one = queued.values_list("pk", flat=True)[0]
    print("a message that was answered:    ", seconds(lambda: placement.is_awaited(one)))
    print("eight have ended, eight placed: ", seconds(placement.place_queue, before=end_eight))
    print("live now:", Workload.objects.filter(state__in=("running", "placed")).count())
    print(Workload.objects.filter(state="queued").aggregate(Max("waiting_reason"))["waiting_reason__max"])


def main() -> None:
    """See the module's first lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, usual in (("hosts", 50), ("live", 400), ("queued", 500), ("workspaces", 10)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mwb-") as folder:
        layout = Layout(Path(folder))
        layout.create()
        server = Postgres(layout.postgres)
        server.prepare()
        child = start(server.program(), layout.logs / "postgres.log")
        try:
            wait_until(child.program.ready, child, 90)
            server.create_databases()
            os.environ |= {"DATABASE_URL": server.url("modelwright"), "MODELWRIGHT_DATA_DIR": folder}
            os.environ["DJANGO_SETTINGS_MODULE"] = "modelwright.settings"
            import django
            from django.core.management import call_command

            django.setup()
            call_command("migrate", verbosity=0)
            measure(given)
        finally:
            child.process.send_signal(signal.SIGINT)
            child.process.wait(30)


if __name__ == "__main__":
    main()
