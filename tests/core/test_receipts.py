"""Receipts: whatever is changed in one, or shown with one, is found; `verify-receipt` says it without a platform."""

from __future__ import annotations

import base64
import copy
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from modelwright.core.canonical import canonical, digest
from modelwright.core.receipts import NotAReceipt, faults, key_id, public_pem, read_public_keys, sign
from modelwright.local.verifying import main

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PEM = public_pem(PRIVATE.public_key())
INPUTS = [{"tenure": 3.0, "name": "Ann €"}, {"tenure": 4.0, "name": "Bo"}]
OUTPUTS, PROBABILITIES = [1, 0], [{"0": 0.25, "1": 0.75}, {"0": 0.9, "1": 0.1}]
PAYLOAD: dict[str, Any] = {
    "prediction": {"id": "01a2", "at": "2026-11-27T04:00:00.000000Z", "status": 200, "protocol": "own"},
    "endpoint": {"id": "e", "name": "acme/churn"},
    "input": {"sha256": digest(INPUTS), "records": 2, "redacted": []},
    "output": {
        "sha256": digest(OUTPUTS),
        "records": 2,
        "probabilities_sha256": digest(PROBABILITIES),
        "error_sha256": None,
    },
    "version": {"id": "v", "model": "churn", "number": 2, "manifest_sha256": "a" * 64, "artifact_sha256": "b" * 64},
    "served_by": {"path": "onnx", "sha256": "c" * 64},
    "deployment": {
        "id": "d",
        "number": 3,
        "kind": "deploy",
        "targets": [{"version_id": "v", "manifest_sha256": "a" * 64, "weight": 100}],
    },
    "environment": {"lock_sha256": "f" * 64, "python": "3.11"},
}
KEYS = read_public_keys(PEM.encode())


@pytest.fixture
def receipt() -> dict[str, Any]:
    return sign(PAYLOAD, PRIVATE)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield from leaves(item, (*path, name)) if isinstance(item, dict | list) and item else [(*path, name)]


def changed(receipt: dict[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    made = copy.deepcopy(receipt)
    holder = made
    for name in path[:-1]:
        holder = holder[name]
    was = holder[path[-1]]
    holder[path[-1]] = was + 1 if isinstance(was, int) else f"{was}x" if isinstance(was, str) else "something"
    return made


def test_a_receipt_holds_with_what_was_asked_and_answered(receipt: dict[str, Any]) -> None:
    answer = {"outputs": OUTPUTS, "probabilities": PROBABILITIES}
    assert faults(receipt, KEYS, inputs=INPUTS, answer=answer) == []
    assert receipt == sign(PAYLOAD, PRIVATE)
    pretty = json.loads(json.dumps(receipt, indent=4, ensure_ascii=True))
    assert faults(pretty, KEYS) == []


@pytest.mark.parametrize("path", list(leaves(PAYLOAD)), ids=lambda path: ".".join(map(str, path)))
def test_a_change_of_any_field_is_found(receipt: dict[str, Any], path: tuple[Any, ...]) -> None:
    found = faults(changed(receipt, ("payload", *path)), KEYS)
    assert found
    assert "The signature does not hold" in found[0]


def test_no_field_can_be_taken_away_added_or_moved(receipt: dict[str, Any]) -> None:
    for name in receipt["payload"]:
        less = copy.deepcopy(receipt)
        del less["payload"][name]
        with pytest.raises(NotAReceipt, match=f"lacks {name}" if name != "format" else "format"):
            faults(less, KEYS)
    for place in (receipt["payload"], receipt):
        more = copy.deepcopy(receipt)
        (more["payload"] if place is receipt["payload"] else more)["note"] = "besides"
        with pytest.raises(NotAReceipt, match=r"besides|exactly"):
            faults(more, KEYS)
    inner = copy.deepcopy(receipt)
    inner["payload"]["input"]["note"] = "inside"
    assert "signature" in faults(inner, KEYS)[0]


def test_another_key_and_another_signature_are_found(receipt: dict[str, Any]) -> None:
    other = Ed25519PrivateKey.generate()
    others = read_public_keys(public_pem(other.public_key()).encode())
    assert f"It names the key {key_id(PRIVATE.public_key())}" in faults(receipt, others)[0]
    forged = {**receipt, "signature": base64.b64encode(other.sign(canonical(receipt["payload"]))).decode()}
    assert "does not hold" in faults(forged, KEYS)[0]
    both = read_public_keys((public_pem(other.public_key()) + PEM).encode())
    assert faults(receipt, both) == []
    with pytest.raises(NotAReceipt, match="base64"):
        faults({**receipt, "signature": "?"}, KEYS)
    digits = receipt["signature"]
    assert digits.endswith("==")
    following = {"A": "B", "Q": "R", "g": "h", "w": "x"}[digits[-3]]
    with pytest.raises(NotAReceipt, match="base64"):
        faults({**receipt, "signature": f"{digits[:-3]}{following}=="}, KEYS)


def test_another_input_or_output_is_found(receipt: dict[str, Any]) -> None:
    assert "input given is another one" in faults(receipt, KEYS, inputs=[{"tenure": 3.1}])[0]
    assert "It has 1 records, the receipt's 2." in faults(receipt, KEYS, inputs=INPUTS[:1])[0]
    assert "output given is another one" in faults(receipt, KEYS, answer={"outputs": [0, 1]})[0]
    swapped = {"outputs": OUTPUTS, "probabilities": PROBABILITIES[::-1]}
    assert "output given (probabilities)" in faults(receipt, KEYS, answer=swapped)[0]


@pytest.fixture
def folder(tmp_path: Path, receipt: dict[str, Any]) -> Path:
    (tmp_path / "receipt.json").write_text(json.dumps(receipt, indent=2))
    (tmp_path / "key.pem").write_text(PEM)
    (tmp_path / "body.json").write_text(json.dumps({"records": INPUTS}))
    (tmp_path / "answer.json").write_text(json.dumps({"predictions": OUTPUTS, "probabilities": PROBABILITIES}))
    return tmp_path


def test_the_command_says_what_holds_and_ends_accordingly(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*words: str, file: str = "receipt.json", key: str = "key.pem") -> tuple[int, str]:
        code = main([str(folder / file), "--key", str(folder / key), *words])
        return code, capsys.readouterr().out

    whole = ("--input", str(folder / "body.json"), "--output", str(folder / "answer.json"))
    code, said = run(*whole)
    assert (code, said.splitlines()[0]) == (0, "VALID")
    assert "was not compared" not in said
    assert "Its input was not compared: give --input." in run()[1]
    (folder / "answer.json").write_text(json.dumps({"predictions": OUTPUTS}))
    assert "Its probabilities were not compared" in run(*whole)[1]
    (folder / "body.json").write_text(json.dumps([{"tenure": 3}]))
    code, said = run(*whole)
    assert (code, said.splitlines()[0]) == (1, "NOT VALID")
    for name, content, words in (
        ("none.json", None, "cannot be read"),
        ("no.json", "{", "no JSON"),
        ("twice.json", '{"payload": {}, "payload": {}, "signature": ""}', "stands twice"),
        ("other.json", "[]", "no object"),
    ):
        if content is not None:
            (folder / name).write_text(content)
        code, said = run(file=name)
        assert (code, words in said) == (2, True), said
    (folder / "body.json").write_text('{"rows": 1}')
    assert run(*whole)[0] == 2
    (folder / "bad.pem").write_text("no key")
    code, said = run(key="bad.pem")
    assert (code, "no Ed25519 public key" in said) == (2, True)


def test_it_needs_neither_django_nor_a_platform(folder: Path) -> None:
    code = (
        "import sys; from modelwright.local.__main__ import main; code = main(sys.argv[1:]); "
        "sys.exit(9 if any(name.split('.')[0] in ('django', 'celery') for name in sys.modules) else code)"
    )
    environment = {"PATH": os.environ["PATH"], "MODELWRIGHT_DATA_DIR": str(folder / "nowhere")}
    words = ["verify-receipt", "receipt.json", "--key", "key.pem", "--input", "body.json"]
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.splitlines()[:1]) == (0, ["VALID"]), done.stderr
    assert not (folder / "nowhere").exists()
