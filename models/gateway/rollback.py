"""`python -m models.gateway.rollback <workspace>/<endpoint> --routes FILE --reason TEXT`: goes back without a database.

It changes the gateway's route table by what that says itself of the earlier deployments that are warm. As soon as there
is a database again, the platform makes a deployment of it, with an audit row, and never undoes it.
"""

from __future__ import annotations

import argparse
import json
import os
import pwd
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.gateway import table_file
from models.gateway.routes import RoutesError, parse
from modelwright.core.ids import new_id

_ABOUT = (
    "Go back without a database: have the gateway of this machine answer by what served before and is still warm. As "
    "soon as there is a database again, it comes on record as a deployment, with your reason."
)
TAKEN_UP_SECONDS = 5.0
PAUSE_SECONDS = 0.01
MOST_NAME_CHARACTERS = 32


class CannotGoBack(Exception):
    """Nothing was changed; the text says why, and what to do."""


def go_back(routes: Path, name: str, *, reason: str, number: int | None = None, by: str = "") -> tuple[int, str]:
    """Switch the endpoint to the latest warm deployment before the one that serves, or to that with the number.

    Returns the revision of the new table and what was done, in words. Raises CannotGoBack, OSError.
    """
    if not reason.strip():
        raise CannotGoBack("A rollback needs a reason: say in a sentence why, with --reason.")
    with table_file.locked(routes):
        table = table_file.read(routes)
        if table is None:
            raise CannotGoBack(f"{routes} is missing or no route table. Name the gateway's with --routes.")
        entry = _entry(table, name)
        earlier = _earlier(name, entry, number)
        now = _entry_of(entry, earlier, reason=reason.strip(), by=by or _person())
        revision = int(table["revision"]) + 1
        new = {"revision": revision, "endpoints": {**table["endpoints"], name: now}}
        _check(name, new)
        table_file.replace(routes, new)
    versions = ", ".join(f"{one['model']} {one['version']}" for one in earlier["targets"])
    return revision, (
        f"{name} answers by {versions} again, as in deployment {earlier['deployment_number']}, "
        f"instead of deployment {entry['deployment_number']}. It will be deployment {now['deployment_number']}."
    )


def _entry(table: dict[str, Any], name: str) -> dict[str, Any]:
    found: Any = table.get("endpoints", {}).get(name)
    if not isinstance(found, dict):
        names = ", ".join(sorted(table.get("endpoints", {}))) or "none"
        raise CannotGoBack(f"The gateway serves no endpoint {name!r}. It serves: {names}.")
    return found


def _earlier(name: str, entry: dict[str, Any], number: int | None) -> dict[str, Any]:
    warm: list[dict[str, Any]] = entry.get("warm") or []
    fitting = [one for one in warm if number in (None, one["deployment_number"])]
    before = [one for one in fitting if number is not None or one["deployment_number"] < entry["deployment_number"]]
    if not before:
        numbers = ", ".join(str(one["deployment_number"]) for one in warm) or "none"
        raise CannotGoBack(
            f"No earlier deployment of {name} that fits is warm (warm are: {numbers}). Going back to another one needs "
            "the database: a replica must be started first."
        )
    return before[0]


def _entry_of(entry: dict[str, Any], earlier: dict[str, Any], *, reason: str, by: str) -> dict[str, Any]:
    left = {key: value for key, value in entry.items() if key in ("endpoint_id", "keys", "redact", "state")}
    own = {key: value for key, value in entry.items() if key not in (*left, "warm", "next_number", "rolled_back")}
    before = entry.get("rolled_back")
    if before:
        # The database may not know it yet: who goes back to it goes back to what it repeats.
        own["deployment_id"] = before["to"]
    number = int(entry.get("next_number") or entry["deployment_number"] + 1)
    return {
        **left,
        **earlier,
        "deployment_id": str(new_id()),
        "deployment_number": number,
        "next_number": number + 1,
        "warm": [own, *(one for one in entry["warm"] if one is not earlier)],
        "rolled_back": {
            "to": earlier["deployment_id"],
            "instead_of": entry["deployment_id"],
            "at": time.time(),
            "by": by,
            "on": socket.gethostname(),
            "reason": reason,
            "earlier": _earlier_facts(entry),
        },
    }


def _earlier_facts(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """What earlier rollbacks by this command said, with their ids, the first one first, where the entry is one."""
    before: dict[str, Any] | None = entry.get("rolled_back")
    if not before:
        return []
    own = {key: value for key, value in before.items() if key != "earlier"}
    return [*before.get("earlier", ()), {**own, "deployment_id": entry["deployment_id"]}]


def _check(name: str, table: dict[str, Any]) -> None:
    try:
        troubles = parse(json.dumps(table).encode()).troubles
    except RoutesError as error:
        raise CannotGoBack(f"The gateway could not read the table any more: {error}.") from None
    if name in troubles:
        raise CannotGoBack(f"The gateway could not serve the earlier deployment: {troubles[name]}.")


def _person() -> str:
    """Who it is by the system's account, which nobody can choose; what sudo says besides stands beside it."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"user {os.getuid()}"
    before = "".join(filter(str.isprintable, os.environ.get("SUDO_USER", "")))[:MOST_NAME_CHARACTERS]
    return f"{name}, by sudo of {before}" if before and before != name else name


def taken_up(url: str, revision: int) -> bool:
    """Whether the gateway at the address answers by that table, or a newer one, within a few seconds."""
    until = time.monotonic() + TAKEN_UP_SECONDS
    while time.monotonic() < until:
        if _revision(url) >= revision:
            return True
        time.sleep(PAUSE_SECONDS)
    return False


def _revision(url: str) -> int:
    try:
        with urllib.request.urlopen(f"{url}/health/ready", timeout=TAKEN_UP_SECONDS) as answer:  # noqa: S310
            content = answer.read()
    except urllib.error.HTTPError as error:
        with error:
            content = error.read()
    except OSError:
        return -1
    try:
        return int(json.loads(content)["revision"])
    except (ValueError, LookupError, TypeError):
        return -1


def main(arguments: Sequence[str] | None = None) -> int:
    """Go back. Returns 0 when the gateway answers by the earlier deployment, 1 when nothing was changed, 2 when the
    table was changed and the gateway does not say that it has it."""
    options = _parser().parse_args(arguments)
    began = time.monotonic()
    try:
        revision, done = go_back(options.routes, options.endpoint, reason=options.reason, number=options.to)
    except (CannotGoBack, OSError) as error:
        print(f"Nothing was changed. {error}", file=sys.stderr)
        return 1
    if options.gateway and not taken_up(options.gateway, revision):
        print(
            f"The route table says: {done} The gateway at {options.gateway} does not answer by it: see whether it "
            "runs; it reads the table as soon as it does.",
            file=sys.stderr,
        )
        return 2
    seconds = time.monotonic() - began
    print(f"{done} It took {seconds * 1000:.0f} ms." if options.gateway else done)
    print("It comes on record, with your reason, as soon as the platform's database can be reached.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="modelwright rollback", description=_ABOUT)
    parser.add_argument("endpoint", help="<workspace>/<endpoint>")
    parser.add_argument(
        "--routes", type=Path, required=True, help="the gateway's route table (`./modelwright rollback` knows it)"
    )
    parser.add_argument("--reason", required=True, help="why, for those who read it later")
    parser.add_argument("--to", type=int, metavar="NUMBER", help="a deployment's number (default: the one before)")
    parser.add_argument("--gateway", default="", metavar="URL", help="wait until the gateway there answers by it")
    return parser


if __name__ == "__main__":
    sys.exit(main())
