"""`./modelwright verify-receipt`: checks a receipt by itself; needs neither a database nor a running platform."""

import argparse
import json
from pathlib import Path
from typing import Any

from modelwright.core.canonical import strict_loads
from modelwright.core.receipts import NotAReceipt, faults, read_public_keys

VALID, DOES_NOT_HOLD, CANNOT_CHECK = 0, 1, 2
# Where records and answers stand in what clients send and get, and in what the platform's API answers.
INPUTS, OUTPUTS = ("records", "inputs", "instances", "dataframe_records"), ("predictions", "outputs")


class CannotCheck(Exception):
    """Something that is needed cannot be read; the text says what and why."""


def main(arguments: list[str]) -> int:
    """Check a receipt. Returns 0 when all holds, 1 when something does not, 2 when it could not be checked."""
    options = parser().parse_args(arguments)
    try:
        receipt = _json(options.receipt)
        keys = read_public_keys(_bytes(options.key))
        inputs = _list(options.input, INPUTS) if options.input else None
        answer = _answer(options.output) if options.output else None
        found = faults(receipt, keys, inputs=inputs, answer=answer)
    except CannotCheck as error:
        print(f"Not checked: {error}")
        return CANNOT_CHECK
    except NotAReceipt as error:
        print(f"Not checked: {options.receipt} with {options.key}: {error}.")
        return CANNOT_CHECK
    if found:
        print("\n".join(["NOT VALID", *found]))
        return DOES_NOT_HOLD
    print("\n".join(["VALID", *summary(receipt["payload"])]))
    said = [
        f"Its {name} was not compared: give --{name}." for name in ("input", "output") if not getattr(options, name)
    ]
    bound = receipt["payload"]["output"].get("probabilities_sha256")
    if bound and answer is not None and answer["probabilities"] is None:
        said.append("Its probabilities were not compared: the output given has none.")
    print("\n".join([*said, "Whether the key is the installation's is yours to know: compare its id."]))
    return VALID


def summary(payload: dict[str, Any]) -> list[str]:
    """What the receipt says, for a person."""
    names = ("prediction", "endpoint", "deployment", "version", "served_by", "environment", "input", "output", "key_id")
    return [f"{name}: {json.dumps(payload[name], ensure_ascii=False)}" for name in names]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CannotCheck(f"{path} cannot be read: {error.strerror}.") from None


def _json(path: Path) -> Any:
    try:
        return strict_loads(_bytes(path))
    except ValueError as error:
        raise CannotCheck(f"{path} is no JSON that every reader reads alike: {error}.") from None


def _list(path: Path, names: tuple[str, ...]) -> list[Any]:
    """A list, or the one under the first of the names that the file's object has."""
    content = _json(path)
    found = content
    if isinstance(content, dict):
        found = next((content[name] for name in names if name in content), None)
    if not isinstance(found, list):
        raise CannotCheck(f"{path} is neither a list nor an object with a list under {' or '.join(names)}.")
    return found


def _answer(path: Path) -> dict[str, Any]:
    content = _json(path)
    probabilities = content.get("probabilities") if isinstance(content, dict) else None
    return {"outputs": _list(path, OUTPUTS), "probabilities": probabilities}


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(
        prog="modelwright verify-receipt",
        description="Check a prediction's receipt. Exit code: 0 it holds, 1 it does not, 2 it could not be checked.",
    )
    made.add_argument("receipt", type=Path, help="the receipt, as the prediction's page gives it")
    made.add_argument("--key", type=Path, required=True, help="public key of the installation (PEM; may hold several)")
    made.add_argument("--input", type=Path, help="also compare what was sent: the request's body as JSON")
    made.add_argument("--output", type=Path, help="also compare what was answered: the answer's body as JSON")
    return made
