"""What docker-compose.yml and docker/ must keep to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.house.test_layout import ROOMS

ROOT = Path(__file__).resolve().parents[2]
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
ONCE = {"migrate", "backup", "restore"}
# Named by whoever calls `docker compose`.
GIVEN = {"COMPOSE_PROJECT_NAME"}


def test_every_variable_is_explained() -> None:
    used = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text())) - GIVEN
    named = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert used == named


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_service_may_do_little(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert "privileged" not in service
    assert "network_mode" not in service
    assert ("healthcheck" in service) is (name not in ONCE)


def test_only_the_keeper_has_the_engine_and_only_three_services_open_ports() -> None:
    mounts = {name: str(service.get("volumes", [])) for name, service in SERVICES.items()}
    assert {name for name, text in mounts.items() if "docker.sock" in text} == {"keeper"}
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"web", "gateway", "sessions"}


def test_the_dockerfile_suits_engines_from_20_10_on_and_ends_without_root() -> None:
    text = (ROOT / "docker" / "Dockerfile").read_text()
    assert "syntax=" not in text
    assert "<<" not in text
    assert "--link" not in text
    for stage in ("platform", "mlflow"):
        body = text.partition(f" AS {stage}\n")[2].partition("\nFROM ")[0]
        assert re.findall(r"^USER (.*)$", body, re.MULTILINE) == ["10001:10001"]


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_is_in_the_image(room: str) -> None:
    assert f"!{room}" in (ROOT / ".dockerignore").read_text().split()
    compiled = re.search(r"compileall -q (.+) manage\.py", (ROOT / "docker" / "Dockerfile").read_text())
    assert compiled is not None
    assert room in compiled[1].split()
