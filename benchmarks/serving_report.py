"""The serving benchmark's table and bars."""

from __future__ import annotations

from typing import Any

TOP = "64"
HALF = "half"
COLUMNS = ("requests_per_second", "p50_ms", "p99_ms", "cpu_ms", "others_percent", "failures")

# Of the churn pipeline at 64 clients: our system, the peer, times its requests/s.
RATIOS = (("ours", "mlserver", 8.0), ("ours", "bentoml", 9.0), ("onnx", "mlserver", 60.0))
LIMIT_PERCENT = 70.0
PEERS = ("mlserver", "bentoml", "mlflow")

Row = dict[str, Any]
Bar = dict[str, Any]


def print_table(rows: list[Row]) -> None:
    """As Markdown; `ours is` compares requests/s at as many clients."""
    print(
        "| model | clients | system | requests/s | p50 ms | p99 ms | CPU ms a request | others % | failures | ours is |"
    )
    print("|---|---:|---|---:|---:|---:|---:|---:|---:|---:|")
    for row in sorted(rows, key=lambda row: (row["model"], _order(row["clients"]))):
        clients = TOP if row["system"] == "bare" else row["clients"]
        rate, ours = row["requests_per_second"], _rate(rows, row["model"], "ours", clients)
        times = f"{ours / rate:.2f} times" if rate and ours and row["system"] != "ours" else ""
        cells = [row["model"], row["clients"], row["system"], *(row[key] for key in COLUMNS), times]
        print("| " + " | ".join("" if cell is None else str(cell) for cell in cells) + " |")


def bars(rows: list[Row]) -> list[Bar]:
    """Every bar of which both sides were measured."""
    found = [_ratio(rows, *bar) for bar in RATIOS]
    found.append(_limit(rows))
    models = dict.fromkeys(row["model"] for row in rows)
    found += [_tail(rows, model, peer) for model in models for peer in PEERS]
    return [bar for bar in found if bar is not None]


def _ratio(rows: list[Row], mine: str, peer: str, least: float) -> Bar | None:
    ours, theirs = _rate(rows, "churn", mine, TOP), _rate(rows, "churn", peer, TOP)
    if not ours or not theirs:
        return None
    value = round(ours / theirs, 2)
    return {"what": f"churn, {TOP} clients, {mine} / {peer}", "value": value, "bar": least, "met": value >= least}


def _limit(rows: list[Row]) -> Bar | None:
    ours, bare = _rate(rows, "churn", "ours", TOP), _rate(rows, "churn", "bare", "-")
    if not ours or not bare:
        return None
    value = round(100 * ours / bare, 1)
    what = "churn, % of the model's own predict in batches of 64"
    return {"what": what, "value": value, "bar": LIMIT_PERCENT, "met": value >= LIMIT_PERCENT}


def _tail(rows: list[Row], model: str, peer: str) -> Bar | None:
    ours, theirs = _row(rows, model, "ours", HALF), _row(rows, model, peer, HALF)
    if ours is None or theirs is None or ours["p99_ms"] is None or theirs["p99_ms"] is None:
        return None
    what = f"{model}, p99 ms at half of our own top, against {peer}'s at half of its"
    return {"what": what, "value": ours["p99_ms"], "bar": theirs["p99_ms"], "met": ours["p99_ms"] <= theirs["p99_ms"]}


def _row(rows: list[Row], model: str, system: str, clients: str) -> Row | None:
    wanted = (model, system, clients)
    return next((row for row in rows if (row["model"], row["system"], row["clients"]) == wanted), None)


def _rate(rows: list[Row], model: str, system: str, clients: str) -> float | None:
    row = _row(rows, model, system, clients)
    return None if row is None else row["requests_per_second"]


def _order(clients: str) -> float:
    return float(clients) if clients.isdigit() else 1e9
