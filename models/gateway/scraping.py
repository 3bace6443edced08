"""Who may read the gateway's metrics: whoever knows the token, everybody where there is none."""

from __future__ import annotations

import hmac

from models.gateway.responses import Response, problem


def refusal(token: str, authorization: bytes) -> Response | None:
    """Why these metrics may not be read, None when they may."""
    scheme, _, given = authorization.partition(b" ")
    if not token or (scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), token.encode())):
        return None
    return _REFUSED


_REFUSED = problem(
    401,
    "Metrics are told to those alone who know the installation's metrics token.",
    remedy="Send it as Authorization: Bearer; it stands in the file that MODELWRIGHT_METRICS_TOKEN_FILE names.",
    headers=((b"WWW-Authenticate", b"Bearer"),),
)
