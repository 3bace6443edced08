"""Whether what was posted comes from who knows the secret, in the forms of the usual Git servers. No Django."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Standard Webhooks: how far the time that was signed may be off.
TOLERANCE_SECONDS = 300
NO_COMMIT = "0" * 40


@dataclass(frozen=True, slots=True)
class Told:
    """A push as it was told. `branch` is empty for what is no push to a branch, and `because` says what it is."""

    branch: str
    commit: str
    because: str = ""


def is_genuine(via: str, secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether the headers prove that the sender knows the secret. All comparisons take constant time."""
    if via == "gitlab":
        return _equal(headers.get("X-Gitlab-Token", ""), secret)
    if via == "standard":
        return _is_standard(secret, headers, body, now)
    wanted = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if via == "github":
        return _equal(headers.get("X-Hub-Signature-256", ""), f"sha256={wanted}")
    return _equal(headers.get("X-Gitea-Signature", ""), wanted)


def _is_standard(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    id_, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 13) or abs(now - int(stamp)) > TOLERANCE_SECONDS:
        return False
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        return False
    signed = f"{id_}.{stamp}.".encode() + body
    wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    # Several stand there while a sender changes its secret.
    return any(_equal(each, wanted) for each in headers.get("webhook-signature", "").split(" ")[:10])


def _equal(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def _is_storable(text: str) -> bool:
    """No NUL and no half of a surrogate pair, which JSON can say and PostgreSQL cannot keep."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def read_push(via: str, headers: Mapping[str, str], body: bytes) -> Told:
    """What the body tells. Raises ValueError where it is no JSON object or no push of the form."""
    event = headers.get({"github": "X-GitHub-Event", "gitea": "X-Gitea-Event", "gitlab": "X-Gitlab-Event"}.get(via, ""))
    if event is not None and event not in ("push", "Push Hook"):
        return Told("", "", f"It tells of {event[:40]!r}, not of a push.")
    try:
        content: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("The body is not JSON.") from None
    if not isinstance(content, dict):
        raise ValueError("The body is not a JSON object.")
    ref, commit = content.get("ref"), content.get("after") or content.get("checkout_sha") or content.get("commit") or ""
    if not isinstance(ref, str) or not isinstance(commit, str) or not _is_storable(ref + commit):
        raise ValueError("The body names no `ref`, such as refs/heads/main.")
    if not ref.startswith("refs/heads/") or len(ref) > 255:
        return Told("", commit[:64], f"{ref[:100]} is no branch.")
    branch = ref.removeprefix("refs/heads/")
    if commit == NO_COMMIT:
        return Told("", "", f"The branch {branch[:100]} was deleted.")
    return Told(branch, commit[:64])
