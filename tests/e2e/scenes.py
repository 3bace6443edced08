"""What the fault tests set up: a project of scripts that need no library, and the demo's endpoint."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import requests

from tests.e2e.stack import Rest, Stack, wait_for

ENDED = {"succeeded", "failed", "cancelled", "timed_out", "out_of_memory", "lost"}


@dataclass
class Scripts:
    """A project whose scripts are committed as they are needed."""

    rest: Rest
    project_id: str

    @classmethod
    def new(cls, rest: Rest, name: str) -> Scripts:
        """A blank project in the demo's workspace."""
        workspace = next(w for w in rest.get("workspaces/")["results"] if w["name"] == "demo")
        project = rest.post(f"workspaces/{workspace['id']}/projects/", {"name": name})
        return cls(rest, project["id"])

    def start(self, code: str, **request: Any) -> dict[str, Any]:
        """Commit `code` as main.py and start a run of it."""
        head = self.rest.get(f"projects/{self.project_id}/commits/")["results"][0]["sha"]
        # A commit that changes nothing is refused, and the same code may be asked for twice.
        changes = [{"path": "main.py", "content": f"{code}\n# after {head}\n"}]
        self.rest.post(
            f"projects/{self.project_id}/commits/", {"message": "Change", "changes": changes, "expected_head": head}
        )
        run: dict[str, Any] = self.rest.post(f"projects/{self.project_id}/runs/", {"script": "main.py", **request})
        return run

    def wait(self, run: dict[str, Any], states: set[str] = ENDED, seconds: float = 180) -> dict[str, Any]:
        """Wait until the run is in one of `states`."""

        def look() -> dict[str, Any] | None:
            now: dict[str, Any] = self.rest.get(f"runs/{run['id']}/")
            assert now["state"] in states or now["state"] not in ENDED, now
            return now if now["state"] in states else None

        return wait_for(f"run {run['number']} in {sorted(states)}", look, seconds)

    def log(self, run: dict[str, Any]) -> str:
        """The whole log so far."""
        return str(self.rest.get(f"runs/{run['id']}/log/")["text"])


@dataclass
class Endpoint:
    """The demo's endpoint, which serves version 1, with a key of its own for these tests."""

    rest: Rest
    id: str
    url: str
    key: str
    record: dict[str, Any]

    @classmethod
    def of_the_demo(cls, stack: Stack, rest: Rest) -> Endpoint:
        """The endpoint that the demo printed a curl line for."""
        found = re.search(r"/endpoints/([0-9a-f-]{36})/", stack.output)
        assert found
        key = rest.post(f"endpoints/{found.group(1)}/keys/", {"name": "faults"})["key"]
        newest = rest.get(f"endpoints/{found.group(1)}/predictions/")["results"][0]
        record = rest.get(f"predictions/{newest['id']}/")["inputs"][0]
        url = re.search(r"(http://\S+/predict)", stack.output)
        assert url
        made = cls(rest, found.group(1), url.group(1).strip("'\""), key, record)
        wait_for("the gateway's taking the new key", made.knows_the_key)
        return made

    def knows_the_key(self) -> bool:
        """A request without records is never on record; one with an unknown key is refused before that."""
        headers = {"Authorization": f"Bearer {self.key}"}
        return requests.post(self.url, json={"records": []}, headers=headers, timeout=60).status_code != 401

    def recorded(self, ids: set[str]) -> dict[str, int]:
        """How often each of `ids` is on record."""
        counts: dict[str, int] = {}
        path: str | None = f"endpoints/{self.id}/predictions/?limit=500"
        wanted = set(ids)
        while path and wanted:
            page = self.rest.get(path)
            for row in page["results"]:
                identity = row["id"].replace("-", "")
                if identity in ids:
                    counts[identity] = counts.get(identity, 0) + 1
                    wanted.discard(identity)
            path = page["next"] and page["next"].split("/api/v1/")[1]
        return counts

    def wait_until_recorded(self, acknowledged: dict[str, int]) -> None:
        """Every acknowledged prediction is on record, exactly once."""
        ids = {identity.replace("-", "") for identity in acknowledged}
        wait_for("every acknowledged prediction on record", lambda: set(self.recorded(ids)) == ids, 120)
        assert set(self.recorded(ids).values()) == {1}
