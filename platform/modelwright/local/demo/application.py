"""The demonstration's application: the prototype's Single Prediction View, which asks the demonstration's endpoint."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from modelwright.local.demo.client import Client, Refused, wait_for

NAME = "single-prediction-view"
COMMAND = "flask --app prediction_view run"
DESCRIPTION = "A customer's probability of leaving, what it is made of, and what if."
# It waits for people nearly all the time, and leaves a small machine to runs and replicas.
SIZE = {
    "name": "tiny",
    "description": "Web applications that mostly wait",
    "cpu": 0.1,
    "memory_bytes": 512 * 1024**2,
}
START_SECONDS = 600.0
MOST_FAILURES = 3
CONFLICT = 409


class ApplicationFailed(Exception):
    """It did not come up. The text says why, as far as the platform knows."""


def make(api: Client, project: dict[str, Any], endpoint: dict[str, Any], note: Callable[[str], None]) -> Any:
    """Give the project a key of its own for the endpoint, and make the application, which starts meanwhile.

    None where applications cannot run; why, is told by `note`.
    """
    key = api.post(f"/api/v1/endpoints/{endpoint['id']}/keys/", {"name": NAME})["key"]
    about = "for the Single Prediction View"
    set_variable(
        api, project, "ENDPOINT_URL", urlsplit(endpoint["url"]).path, False, f"The endpoint's address, {about}"
    )
    set_variable(api, project, "ENDPOINT_KEY", key, True, f"A key of the endpoint, {about}")
    body = {"name": NAME, "command": COMMAND, "description": DESCRIPTION, "profile": size(api)}
    try:
        made = api.post(f"/api/v1/projects/{project['id']}/applications/", body)
    except Refused as refused:
        if refused.status != CONFLICT:
            raise
        note(f"  left out: {refused}")
        return None
    note(f"  {NAME} starts while the demonstration goes on")
    return made


def set_variable(api: Client, project: dict[str, Any], name: str, value: str, is_secret: bool, about: str) -> None:
    """Set a variable of the project."""
    body = {"value": value, "is_secret": is_secret, "description": about}
    api.call("PUT", f"/api/v1/projects/{project['id']}/variables/{name}/", body)


def size(api: Client) -> str:
    """The name of its size, which is made where it is not there yet."""
    if all(each["name"] != SIZE["name"] for each in api.pages("/api/v1/profiles/")):
        api.post("/api/v1/profiles/", SIZE)
    return str(SIZE["name"])


def wait_running(api: Client, application: dict[str, Any], stay: Callable[[], None]) -> None:
    """Wait until it answers. Raises ApplicationFailed where it does not stay up, TimeoutError."""

    def runs() -> bool:
        stay()
        now = api.get(f"/api/v1/applications/{application['id']}/")
        if now["failures"] >= MOST_FAILURES or now["trouble"]:
            why = now["trouble"] or f"it ended {now['failures']} times soon after its start"
            raise ApplicationFailed(f"The application {NAME} does not run: {why}. Its page shows its log.")
        return bool(now["health"] == "running")

    wait_for(runs, START_SECONDS, "The start of the application")
