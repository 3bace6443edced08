"""Serving: our gateway against MLServer with adaptive batching and `mlflow models serve`.

The same churn pipeline, single-row requests, the same load generator in a process of its own. All three run at once and
are asked in turns, so that whatever else the machine does hits each alike; medians over the turns are shown. `others %`
is the part of all processors that other programs used meanwhile: only where it is small do requests/s mean much. CPU ms
a request counts all processes of a system and hardly depends on it.

    uv run python -m benchmarks.serving [--turns 3] [--seconds 5] [--clients 1 16 64] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.serving_systems import ROOT, MLflowServe, MLServer, Ours, Record, System, trained_model

BARS = {"mlserver": 7.0, "mlflow": 90.0}
BAR_CLIENTS = 64
COLUMNS = ("clients", "system", "requests_per_second", "p50_ms", "p99_ms", "cpu_ms", "others_percent", "failures")

Figures = dict[str, Any]


def main() -> int:
    """Print the table; 1 when a bar at 64 clients is missed or a request failed."""
    options = _parse()
    options.work.mkdir(parents=True, exist_ok=True)
    model, records = trained_model(options.work)
    systems: list[System] = [kind(options.work, model) for kind in (Ours, MLServer, MLflowServe)]
    try:
        for system in systems:
            print(f"starting {system.name} ...", file=sys.stderr, flush=True)
            system.start(records[0])
        rows = _measure(systems, records, options)
    finally:
        for system in systems:
            system.stop()
    _print_table(rows)
    ratios = {name: _ratio(rows, name) for name in BARS}
    report = {
        "turns": options.turns,
        "seconds": options.seconds,
        "cpus": os.cpu_count(),
        "rows": rows,
        "ratios": ratios,
    }
    print(json.dumps(report))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    failures = sum(row["failures"] for row in rows)
    missed = [name for name, ratio in ratios.items() if ratio is not None and ratio < BARS[name]]
    for name in missed:
        print(f"missed: {ratios[name]} times {name} at {BAR_CLIENTS} clients, the bar is {BARS[name]}", file=sys.stderr)
    return 1 if missed or failures else 0


def _measure(systems: list[System], records: list[Record], options: argparse.Namespace) -> list[Figures]:
    runs: dict[tuple[str, int], list[Figures]] = {}
    for turn in range(options.turns):
        for clients in options.clients:
            for system in systems:
                print(f"turn {turn + 1}: {system.name}, {clients} clients", file=sys.stderr, flush=True)
                figures = _load(system, records, clients, options.seconds)
                runs.setdefault((system.name, clients), []).append(figures)
    return [_median(name, clients, figures) for (name, clients), figures in sorted(runs.items(), key=lambda r: r[0][1])]


def _load(system: System, records: list[Record], clients: int, seconds: float) -> Figures:
    bodies = system.work / "bodies.json"
    bodies.write_text(json.dumps([system.body(record) for record in records]))
    command = [sys.executable, "-m", "benchmarks.load", "--address", f"127.0.0.1:{system.port}", "--path", system.path]
    command += ["--bodies", str(bodies), "--clients", str(clients), "--seconds", str(seconds)]
    for header in system.headers:
        command += ["--header", header]
    cpu, before, began = system.cpu_seconds(), _busy_seconds(), time.monotonic()
    own = _children_seconds()
    result = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=seconds + 180)
    figures: Figures = json.loads(result.stdout)
    used = system.cpu_seconds() - cpu
    others = _busy_seconds() - before - used - (_children_seconds() - own)
    figures["cpu_ms"] = round(used * 1000 / max(figures["all_answers"], 1), 3)
    figures["others_percent"] = round(100 * max(others, 0) / ((time.monotonic() - began) * (os.cpu_count() or 1)), 1)
    if figures["first_failure"]:
        print(f"{system.name}: {figures['first_failure']}", file=sys.stderr)
    return figures


def _busy_seconds() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


def _children_seconds() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _median(name: str, clients: int, runs: list[Figures]) -> Figures:
    row: Figures = {"system": name, "clients": clients, "failures": sum(run["failures"] for run in runs), "runs": runs}
    for key in ("requests_per_second", "p50_ms", "p99_ms", "cpu_ms", "others_percent"):
        values = [run[key] for run in runs if run[key] is not None]
        row[key] = round(statistics.median(values), 2) if values else None
    return row


def _ratio(rows: list[Figures], name: str, clients: int = BAR_CLIENTS) -> float | None:
    rates = {row["system"]: row["requests_per_second"] for row in rows if row["clients"] == clients}
    return round(rates["ours"] / rates[name], 1) if rates.get(name) else None


def _print_table(rows: list[Figures]) -> None:
    print("| clients | system | requests/s | p50 ms | p99 ms | CPU ms a request | others % | failures | ours is |")
    print("|---:|---|---:|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        ratio = _ratio(rows, row["system"], row["clients"])
        times = "" if row["system"] == "ours" or ratio is None else f"{ratio} times"
        cells = [row[key] for key in COLUMNS]
        print("| " + " | ".join(str(cell) for cell in [*cells, times]) + " |")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="measured time of one turn")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "modelwright-benchmark-serving",
        help="environments, model and logs; kept for the next run",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
