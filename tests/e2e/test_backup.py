"""Back up while the platform runs, lose everything, restore, and find the same."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.e2e.pages import read_pages, signed_in
from tests.e2e.scenes import Endpoint
from tests.e2e.stack import ROOT, Rest, Stack, own_environment, wait_for
from tests.e2e.test_restart import RUNNING, ask

STARTS = ("/workspaces/", "/models/", "/endpoints/")
LISTS = ("workspaces/", "projects/", "models/", "endpoints/", "users/", "profiles/", "receipt-keys/")


@pytest.fixture
def folder() -> Iterator[Path]:
    """For the backup and the second data directory; its path is short, as sockets need it."""
    path = Path(tempfile.mkdtemp(prefix="mwb-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


def launcher(*words: str | Path) -> str:
    """Run `./modelwright`; returns what it printed."""
    command = [sys.executable, str(ROOT / "modelwright"), *map(str, words)]
    done = subprocess.run(command, env=own_environment(), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def seen(rest: Rest) -> dict[str, Any]:
    """What a person sees in the lists, and of each endpoint and version in detail."""
    found = {path: rest.get(path)["results"] for path in LISTS}
    for endpoint in found["endpoints/"]:
        for part in ("deployments/", "keys/"):
            found[f"endpoint {endpoint['name']} {part}"] = rest.get(f"endpoints/{endpoint['id']}/{part}")
    for model in found["models/"]:
        found[f"versions of {model['name']}"] = rest.get(f"models/{model['id']}/versions/")
    for project in found["projects/"]:
        for part in ("runs/", "jobs/", "commits/"):
            found[f"project {project['name']} {part}"] = rest.get(f"projects/{project['id']}/{part}")
        for run in found[f"project {project['name']} runs/"]["results"]:
            found[f"log of {run['id']}"] = rest.get(f"runs/{run['id']}/log/")
            found[f"metrics of {run['id']}"] = rest.get(f"runs/{run['id']}/metrics/")
    return found


def stream(rest: Rest, project: str) -> list[dict[str, Any]]:
    """Every event of the project in the order of its stream, with its place there."""
    page = rest.get(f"projects/{project}/events/?limit=500")
    found = list(page["events"])
    while page["position"] < page["head"]:
        page = rest.get(f"projects/{project}/events/?limit=500&after={page['position']}")
        found += page["events"]
    return found


def test_a_restored_platform_shows_and_answers_the_same(stack: Stack, rest: Rest, folder: Path) -> None:
    endpoint = Endpoint.of_the_demo(stack, rest)
    asked = ask(endpoint)
    assert asked is not None
    endpoint.wait_until_recorded({asked["prediction_id"]: asked["version"]})
    # Signed before anything is compared: the first receipt makes the key, which lists and pages show.
    assert rest.get(f"predictions/{asked['prediction_id']}/receipt/")["signature"]
    before = seen(rest)
    project = rest.get(f"endpoints/{endpoint.id}/")["project"]
    events = stream(rest, project)
    assert events
    pages = read_pages(stack.web_url, signed_in(stack.web_url, "admin", stack.password), STARTS)
    assert len(pages) > 20, sorted(pages)

    # The platform runs and a prediction has just been answered: it may be in the spool alone.
    latest = ask(endpoint)
    assert latest is not None
    launcher("backup", folder / "backups", "--data-dir", stack.directory)
    manifest = next((folder / "backups").glob("*.json"))

    assert "is what the manifest says" in launcher("restore", manifest, "--data-dir", folder / "d")
    second = Stack(folder, "up")
    try:
        second.wait_for_line(RUNNING, 0, 300)
        again = Rest(second.web_url, str(rest.session.headers["Authorization"]).removeprefix("Bearer "))
        after = seen(again)
        for name, value in before.items():
            assert without_addresses(after[name]) == without_addresses(value), name
        assert stream(again, project)[: len(events)] == events
        shown = read_pages(second.web_url, signed_in(second.web_url, "admin", stack.password), STARTS)
        # The pages of the endpoint itself and of the stream list the newest predictions, and there is one more of them.
        same = {path for path in pages.keys() & shown.keys() if endpoint.id not in path and "/events/" not in path}
        assert f"/predictions/{UUID(asked['prediction_id'])}/" in same
        assert all("/predictions/" in path for path in pages.keys() ^ shown.keys())
        changed = [
            "\n".join([path, *unified_diff(in_words(words, stack), in_words(shown[path], second), lineterm="", n=1)])
            for path, words in pages.items()
            if path in same and in_words(shown[path], second) != in_words(words, stack)
        ]
        assert not changed, "\n".join(changed)
        verified = again.get("audit-chain/?verify=true")
        assert verified["fault"] == "", verified
        url = endpoint.url.replace(stack.gateway_url, second.gateway_url)
        moved = Endpoint(again, endpoint.id, url, endpoint.key, endpoint.record)
        answer = wait_for("an answer of the restored endpoint", lambda: ask(moved), 300)
        for part in ("version", "predictions", "probabilities"):
            assert answer.get(part) == asked.get(part)
        moved.wait_until_recorded({latest["prediction_id"]: latest["version"]})
    finally:
        second.stop()


def in_words(words: list[str], platform: Stack) -> list[str]:
    """The same without the addresses of the platform."""
    hosts = (platform.web_url.split("//")[1], platform.gateway_url.split("//")[1])
    return [word.replace(hosts[0], "WEB").replace(hosts[1], "GATEWAY") for word in words]


def without_addresses(value: Any) -> Any:
    """The same without what differs from one address of a platform to another."""
    if isinstance(value, dict):
        return {
            name: without_addresses(part) for name, part in value.items() if name not in ("url", "next", "previous")
        }
    return [without_addresses(part) for part in value] if isinstance(value, list) else value
