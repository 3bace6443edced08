"""Receipts: a payload of digests, signed with Ed25519. docs/receipts.md is the format. No Django, so that whoever has a
receipt and a public key can check it without a platform.

A receipt is `{"payload": {…}, "signature": "<base64>"}`. The signature is over the canonical form of the payload, which
names its format and the key, so that nothing in a receipt is outside of what is signed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from modelwright.core.canonical import canonical, digest

FORMAT = "modelwright.receipt/1"
_PEM = re.compile(rb"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)
# What a payload of this format has; no more and no less.
FIELDS = frozenset(
    {
        *("format", "key_id", "prediction", "endpoint", "input", "output"),
        *("version", "served_by", "deployment", "environment"),
    }
)


class NotAReceipt(ValueError):
    """The document is no receipt of this format, or the file holds no key; the text says why."""


def key_id(public: Ed25519PublicKey) -> str:
    """What names a key: the first 16 hex digits of the SHA-256 of its 32 bytes."""
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


def public_pem(public: Ed25519PublicKey) -> str:
    """The public key as PEM."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return public.public_bytes(serialization.Encoding.PEM, form).decode()


def read_public_keys(content: bytes) -> dict[str, Ed25519PublicKey]:
    """The Ed25519 keys of a PEM file, one or several, by their ids. Raises NotAReceipt where there is none."""
    found = {}
    for block in _PEM.findall(content):
        try:
            key = serialization.load_pem_public_key(block)
        except ValueError as error:
            raise NotAReceipt(f"a public key in the file cannot be read: {error}") from None
        if isinstance(key, Ed25519PublicKey):
            found[key_id(key)] = key
    if not found:
        raise NotAReceipt("the file holds no Ed25519 public key in PEM form")
    return found


def sign(payload: Mapping[str, Any], private: Ed25519PrivateKey) -> dict[str, Any]:
    """A receipt over the facts, with the format and the key's id added. Raises ValueError for what JSON cannot say."""
    whole = {"format": FORMAT, "key_id": key_id(private.public_key()), **payload}
    if whole.keys() != FIELDS:
        raise ValueError(f"a receipt has exactly the fields {sorted(FIELDS)}")
    return {"payload": whole, "signature": base64.b64encode(private.sign(canonical(whole))).decode()}


def faults(
    receipt: Any,
    keys: Mapping[str, Ed25519PublicKey],
    *,
    inputs: Sequence[Any] | None = None,
    answer: Mapping[str, Any] | None = None,
) -> list[str]:
    """What does not hold, in words; empty for a receipt that is valid.

    `inputs` are the records that were sent; `answer` is `{"outputs": […], "probabilities": […] or None}`. Raises
    NotAReceipt for a document of another form.
    """
    payload, signature = _parts(receipt)
    found = _signature_faults(payload, signature, keys)
    if inputs is not None:
        found += _digest_faults("input", payload["input"], "sha256", list(inputs))
    if answer is not None:
        found += _digest_faults("output", payload["output"], "sha256", list(answer["outputs"]))
        if answer.get("probabilities") is not None:
            found += _digest_faults("output", payload["output"], "probabilities_sha256", answer["probabilities"])
    return found


def _parts(receipt: Any) -> tuple[dict[str, Any], bytes]:
    if not isinstance(receipt, dict) or receipt.keys() != {"payload", "signature"}:
        raise NotAReceipt("it is no object with exactly the keys payload and signature")
    payload, signature = receipt["payload"], receipt["signature"]
    if not isinstance(payload, dict) or payload.get("format") != FORMAT:
        raise NotAReceipt(f"its payload is not of the format {FORMAT}")
    if payload.keys() != FIELDS:
        missing, more = sorted(FIELDS - payload.keys()), sorted(payload.keys() - FIELDS)
        said = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"has {', '.join(more)} besides"] * bool(more)
        raise NotAReceipt(f"its payload {' and '.join(said)}")
    for name in ("input", "output"):
        if not isinstance(payload[name], dict):
            raise NotAReceipt(f"{name} in its payload is no object")
    try:
        signed = base64.b64decode(signature, validate=True)
        # The last digit has bits that no byte needs: other digits would say the same.
        if base64.b64encode(signed).decode() != signature:
            raise ValueError(signature)
        return payload, signed
    except (TypeError, binascii.Error, ValueError):
        raise NotAReceipt("its signature is no base64") from None


def _signature_faults(payload: dict[str, Any], signature: bytes, keys: Mapping[str, Ed25519PublicKey]) -> list[str]:
    named = payload["key_id"]
    key = keys.get(named) if isinstance(named, str) else None
    if key is None:
        given = ", ".join(sorted(keys))
        return [f"It names the key {named}, and the key given is {given}: get the public key of that id."]
    try:
        key.verify(signature, canonical(payload))
    except InvalidSignature:
        return [f"The signature does not hold: something in it was changed after key {named} signed it."]
    except ValueError as error:
        return [f"The payload has no canonical form: {error}."]
    return []


def _digest_faults(what: str, facts: dict[str, Any], name: str, value: list[Any]) -> list[str]:
    """Compares `value` with the digest under `name`."""
    said = facts.get(name)
    try:
        given = digest(value)
    except ValueError as error:
        return [f"The {what} given cannot be compared: {error}."]
    if said == given:
        return []
    records = facts.get("records")
    many = "" if records == len(value) else f" It has {len(value)} records, the receipt's {records}."
    reason = " Values of redacted columns are not in the receipt's digest." if facts.get("redacted") else ""
    part = " (probabilities)" if name != "sha256" else ""
    return [f"The {what} given{part} is another one: its digest is {given}, the receipt's {said}.{many}{reason}"]
