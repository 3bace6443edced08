"""Serving: our gateway against MLServer and BentoML with adaptive batching and `mlflow models serve`.

Three models, single-row requests over keep-alive connections, one load generator (`load.c`). All systems of a model run
at once and are asked in turns, so that whatever else the machine does hits each alike; medians over the turns are
shown. `others %` is the part of all processors that other programs used meanwhile: only where it is small do requests/s
mean much. CPU ms a request counts all processes of a system and hardly depends on it.

After the last turn each system gets half of its own top rate, at random moments, whether it answers or not: `half`.

    uv run python -m benchmarks.serving [--models churn forest cnn] [--systems ours onnx mlserver bentoml mlflow]
        [--turns 5] [--seconds 4] [--clients 1 16 64] [--half-seconds 4] [--processes 1]
        [--compiled-processes 2] [--no-native] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from benchmarks import load
from benchmarks.serving_models import MODELS, Trained
from benchmarks.serving_report import bars, print_table
from benchmarks.serving_systems import SYSTEMS, Bare, Ours, OursCompiled, System

TOP_CLIENTS = 64
MEDIANS = ("requests_per_second", "p50_ms", "p99_ms", "cpu_ms", "others_percent")

Figures = dict[str, Any]


def main() -> int:
    """Print the tables; 1 when a bar is missed or a request failed."""
    options = _parse()
    options.work.mkdir(parents=True, exist_ok=True)
    Ours.processes, OursCompiled.processes = options.processes, options.compiled_processes
    Ours.native = options.native
    rows: list[Figures] = []
    for name in options.models:
        rows += _measure_model(MODELS[name].trained(options.work), options)
    print_table(rows)
    found = bars(rows)
    report = {"turns": options.turns, "seconds": options.seconds, "cpus": os.cpu_count(), "rows": rows, "bars": found}
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    for bar in found:
        print(f"{'met' if bar['met'] else 'MISSED'}: {bar['what']}: {bar['value']}, the bar is {bar['bar']}")
    failures = sum(row["failures"] for row in rows)
    if failures:
        print(f"{failures} requests failed")
    return 1 if failures or not all(bar["met"] for bar in found) else 0


def _measure_model(trained: Trained, options: argparse.Namespace) -> list[Figures]:
    kinds = [SYSTEMS[name] for name in options.systems]
    systems = [kind(options.work, trained) for kind in kinds if trained.model.compiles or kind is not OursCompiled]
    bare = Bare(options.work, trained) if options.bare else None
    try:
        for system in systems:
            _say(f"{trained.model.name}: starting {system.name} ...")
            system.start()
        if bare is not None:
            bare.start()
        rows = _in_turns(systems, bare, options)
        if options.half_seconds and TOP_CLIENTS in options.clients:
            rows += _at_half(systems, rows, options)
    finally:
        for system in systems:
            system.stop()
        if bare is not None:
            bare.stop()
    return [{"model": trained.model.name, **row} for row in rows]


def _in_turns(systems: list[System], bare: Bare | None, options: argparse.Namespace) -> list[Figures]:
    runs: dict[tuple[str, str], list[Figures]] = {}
    for turn in range(options.turns):
        for clients in options.clients:
            for system in systems:
                _say(f"turn {turn + 1}: {system.name}, {clients} clients")
                figures = _observe(system, lambda s=system, c=clients: _load(s, c, options.seconds))  # type: ignore[misc]
                runs.setdefault((system.name, str(clients)), []).append(figures)
        if bare is not None:
            _say(f"turn {turn + 1}: the bare model")
            rate = bare.rows_per_second(options.seconds)
            runs.setdefault(("bare", "-"), []).append({"requests_per_second": rate, "failures": 0})
    return [_median(name, clients, figures) for (name, clients), figures in runs.items()]


def _at_half(systems: list[System], rows: list[Figures], options: argparse.Namespace) -> list[Figures]:
    top = {row["system"]: row["requests_per_second"] for row in rows if row["clients"] == str(TOP_CLIENTS)}
    runs: dict[str, list[Figures]] = {}
    for turn in range(options.turns):
        for system in systems:
            rate = top[system.name] / 2
            if not rate:
                continue
            _say(f"turn {turn + 1}: {system.name}, {rate:.0f} requests/s")
            figures = _observe(
                system,
                lambda s=system, r=rate: _load(s, TOP_CLIENTS, options.half_seconds, r),  # type: ignore[misc]
            )
            runs.setdefault(system.name, []).append(figures)
    return [_median(name, "half", figures) for name, figures in runs.items()]


def _load(system: System, clients: int, seconds: float, rate: float = 0.0) -> Figures:
    return load.run(system.port, system.requests, clients=clients, seconds=seconds, rate=rate)


def _observe(system: System, ask: Callable[[], Figures]) -> Figures:
    """The figures, with what the system and other programs used of the processors meanwhile."""
    system.tidy()
    cpu, before, own, began = system.cpu_seconds(), _busy_seconds(), _children_seconds(), time.monotonic()
    figures = ask()
    used = system.cpu_seconds() - cpu
    others = _busy_seconds() - before - used - (_children_seconds() - own)
    figures["cpu_ms"] = round(used * 1000 / max(figures["all_answers"], 1), 3)
    figures["others_percent"] = round(100 * max(others, 0) / ((time.monotonic() - began) * (os.cpu_count() or 1)), 1)
    if figures["first_failure"]:
        _say(f"{system.name}: {figures['first_failure']}")
    return figures


def _busy_seconds() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


def _children_seconds() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _median(name: str, clients: str, runs: list[Figures]) -> Figures:
    row: Figures = {"system": name, "clients": clients, "failures": sum(run["failures"] for run in runs), "runs": runs}
    for key in MEDIANS:
        values = [run[key] for run in runs if run.get(key) is not None]
        row[key] = round(statistics.median(values), 3) if values else None
    return row


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--systems", nargs="+", choices=list(SYSTEMS), default=list(SYSTEMS))
    parser.add_argument("--no-bare", dest="bare", action="store_false", help="without the model alone in a loop")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="measured time of one turn")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16, TOP_CLIENTS])
    parser.add_argument("--half-seconds", type=float, default=4.0, help="0: nothing at half of the top rate")
    parser.add_argument("--processes", type=int, default=1, help="of our gateway before the original model")
    parser.add_argument("--compiled-processes", type=int, default=2, help="of our gateway before the compiled one")
    parser.add_argument("--no-native", dest="native", action="store_false", help="our gateway as Python")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(tempfile.gettempdir()) / "modelwright-benchmark-serving",
        help="environments, models and logs; kept for the next run",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
