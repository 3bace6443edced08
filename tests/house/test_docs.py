"""What the documentation must name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from modelwright.audit.actions import AuditAction

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("action", list(AuditAction))
def test_every_audit_action_is_explained(action: AuditAction) -> None:
    assert f"`{action}`" in (ROOT / "docs" / "audit.md").read_text()


def settings_read() -> set[str]:
    """Names of environment variables that the settings read."""
    text = (ROOT / "platform" / "modelwright" / "settings.py").read_text()
    return set(re.findall(r'environ\.get\(\s*"([A-Z_]+)"', text))


@pytest.mark.parametrize("name", sorted(settings_read()))
def test_every_setting_is_listed(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs" / "settings.md").read_text()


def test_links_between_documents_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)} → {target}"
        for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert not broken
