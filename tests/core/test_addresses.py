"""Addresses with passwords from files."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelwright.core.addresses import address


def test_an_address_without_a_file_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THING_URL", "redis://host:1/0")
    assert address("THING_URL") == "redis://host:1/0"
    assert address("OTHER_URL", "redis://default") == "redis://default"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://ann@db:5432/x?a=b", "postgresql://ann:p%40ss%2F%20w@db:5432/x?a=b"),
        ("redis://cache:6379/0", "redis://:p%40ss%2F%20w@cache:6379/0"),
    ],
)
def test_the_password_comes_from_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, expected: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("p@ss/ w\n")
    monkeypatch.setenv("THING_URL", url)
    monkeypatch.setenv("THING_PASSWORD_FILE", str(secret))
    assert address("THING_URL") == expected


def test_two_passwords_are_refused_without_telling_either(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("first")
    monkeypatch.setenv("THING_URL", "redis://:second@cache")
    monkeypatch.setenv("THING_PASSWORD_FILE", str(tmp_path / "secret"))
    with pytest.raises(ValueError, match="leave one of them out") as caught:
        address("THING_URL")
    assert "first" not in str(caught.value)
    assert "second" not in str(caught.value)


def test_a_file_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("THING_URL", "redis://cache")
    monkeypatch.setenv("THING_PASSWORD_FILE", str(tmp_path / "nothing"))
    with pytest.raises(ValueError, match="nothing"):
        address("THING_URL")
