"""What a workload is given in secret, as its row keeps it: encrypted, until it ends."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from modelwright.compute.backends.shim.masking import Masker
from modelwright.compute.masking import forms
from modelwright.compute.models import Workload
from modelwright.core.crypto import decrypt, encrypt

# No variable can have this name. Rows of earlier versions have variables alone.
_REST = "="


@dataclass(frozen=True, slots=True)
class Secrets:
    """Variables, files by the name of the variable that tells their path, and values that the log must not show."""

    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    files: Mapping[str, str] = field(default_factory=dict, repr=False)
    masked: Sequence[str] = field(default=(), repr=False)


def seal(secrets: Secrets) -> str:
    """The inverse of `unseal`; empty where there is nothing to hide."""
    if not (secrets.variables or secrets.files or secrets.masked):
        return ""
    rest = {"files": dict(secrets.files), "masked": list(secrets.masked)}
    return encrypt(json.dumps({**secrets.variables, **({_REST: rest} if secrets.files or secrets.masked else {})}))


def unseal(text: str) -> Secrets:
    """What the row holds. Raises Unavailable where the installation's key has changed."""
    if not text:
        return Secrets()
    found: dict[str, Any] = json.loads(decrypt(text))
    rest = found.pop(_REST, {})
    return Secrets(found, rest.get("files", {}), rest.get("masked", ()))


def without_secrets(workload: Workload, texts: Iterable[str]) -> list[str]:
    """The texts of a workload that lives, with `***` in place of what its log must not show either."""
    wanted = [form.encode() for form in forms(unseal(workload.secrets).masked)]
    return [_masked(wanted, text) for text in texts]


def _masked(wanted: list[bytes], text: str) -> str:
    masker = Masker(wanted)
    return (masker.feed(text.encode()) + masker.rest()).decode(errors="replace")
