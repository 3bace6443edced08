"""docs/api.md names every operation, no other, and its worked example asks for things that are there."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.api.operations import operations, schema

TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
SCRIPTS = re.findall(r"```bash\n(.*?)```", TEXT, re.S)
WHOLE = "\n".join(SCRIPTS)
CALLS = [
    *re.findall(r"""\bapi (GET|POST|PUT|PATCH|DELETE) ("?/[^"\s]+"?)(?: '(.+?)')?(?: \||\n|$)""", WHOLE),
    *(("GET", address, "") for address in re.findall(r"^wait_for (/\S+)", WHOLE, re.M)),
]


def test_it_names_every_operation_under_its_group() -> None:
    said = set()
    for section in re.split(r"^### ", TEXT, flags=re.M)[1:]:
        group = section.partition("\n")[0]
        for methods, path in re.findall(r"^\| `([A-Z ]+?) (/\S+)`", section, re.M):
            said |= {(group, method, path) for method in methods.split()}
    there = {
        (raw["tags"][0], method.upper(), path.removeprefix("/api/v1"))
        for path, methods in schema()["paths"].items()
        for method, raw in methods.items()
    }
    assert said == there


def test_the_example_goes_from_sign_in_to_rollback() -> None:
    order = ["/login/", "/tokens/", "/workspaces/", "/runs/", "/endpoints/", "/deployments/", "/keys/", "/rollbacks/"]
    places = [WHOLE.index(part) for part in order]
    assert places == sorted(places)


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_example_is_valid_shell(script: str) -> None:
    checked = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_example_calls_what_is_there() -> None:
    known = {
        (one.method, re.sub(r"[0-9a-f-]{36}", "*", one.route.address(dict.fromkeys(one.route.variables, _ID)))): one
        for one in operations()
        if not {"name", "username", "sha", "alias"} & set(one.route.variables)
    }
    assert len(CALLS) >= 20
    for method, address, body in CALLS:
        path = re.sub(r"\$\w+", "*", address.strip('"').partition("?")[0])
        operation = known[(method, f"/api/v1{path}")]
        if body:
            sent = json.loads(re.sub(r"'\$\w+'", _ID, body))
            form = operation.raw["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            fields = schema()["components"]["schemas"][form]
            assert set(sent) <= set(fields["properties"]), address
            assert set(fields.get("required", [])) <= set(sent), address


_ID = "00000000-0000-4000-8000-000000000000"
