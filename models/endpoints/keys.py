"""Keys that are not stored: the one with which the platform's own page asks the gateway."""

from __future__ import annotations

import hashlib
import hmac
from uuid import UUID

from django.conf import settings

KEY_PREFIX = "mwk"
INTERNAL_NAME = "The endpoint's page"


def internal_key(endpoint_id: UUID) -> str:
    """The platform's own key of the endpoint, computed from the installation's secret; nobody is ever shown it."""
    secret = hashlib.sha256(b"modelwright endpoint key\0" + settings.SECRET_KEY.encode()).digest()
    return f"{KEY_PREFIX}_{hmac.new(secret, endpoint_id.bytes, hashlib.sha256).hexdigest()}"
