"""Signatures of what is posted, as Standard Webhooks describes them (https://www.standardwebhooks.com): a receiver that
knows the sink's secret checks with any of its libraries that the platform sent it, and when."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

PREFIX = "whsec_"


def new_secret() -> str:
    """A secret of 256 bits, in the form that those libraries take."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def signed_headers(secret: str, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """`webhook-id`, `webhook-timestamp` (unix seconds) and `webhook-signature` over both and the body."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    content = b"%b.%d.%b" % (message_id.encode(), timestamp, body)
    signature = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }
