"""Repeat the first answer to whoever repeats a request with the same `Idempotency-Key`."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

from django.db import transaction
from django.utils import timezone
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from modelwright.accounts.models import KeptAnswer, User
from modelwright.core.crypto import decrypt, encrypt
from modelwright.core.errors import Conflict, ValidationFailed

Method = Callable[..., Response]
MAX_KEY_LENGTH = 200
KEPT_FOR = timedelta(days=1)


def idempotent(method: Method) -> Method:
    """Decorate a view's method that makes something.

    With the header, the answer is stored in the transaction of the write: a retry gets it again with the header
    `Idempotent-Replay: true`, another request under the same key is refused with 409, a failed one leaves nothing.
    """

    @functools.wraps(method)
    def wrapper(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return method(view, request, *args, **kwargs)
        if not key.strip() or len(key) > MAX_KEY_LENGTH or not key.isascii() or not key.isprintable():
            raise ValidationFailed(
                f"The header Idempotency-Key must be 1 to {MAX_KEY_LENGTH} printable ASCII characters.",
                remedy="Send a fresh UUID for each thing that you want made.",
                field="Idempotency-Key",
            )
        digest = _digest(request)
        user = cast(User, request.user)
        with transaction.atomic():
            answer, is_new = KeptAnswer.objects.get_or_create(user=user, key=key, defaults={"request_digest": digest})
            if not is_new:
                return _repeat(answer, digest)
            response = method(view, request, *args, **kwargs)
            answer.status, answer.body = response.status_code, encrypt(JSONRenderer().render(response.data).decode())
            answer.save(update_fields=["status", "body"])
            return response

    wrapper.is_idempotent = True  # type: ignore[attr-defined]  # the OpenAPI schema names the header where this is set
    return wrapper


def forget_old_answers() -> int:
    """Delete answers kept for longer than a retry makes sense; return how many. No audit row: nobody can see them."""
    return KeptAnswer.objects.filter(created_at__lt=timezone.now() - KEPT_FOR).delete()[0]


def _digest(request: Request) -> str:
    parts = (request.method or "", request.get_full_path())
    return hashlib.sha256("\n".join(parts).encode() + b"\n" + request.body).hexdigest()


def _repeat(answer: KeptAnswer, digest: str) -> Response:
    if answer.request_digest != digest:
        raise Conflict(
            "This Idempotency-Key was used for a different request.", remedy="Use a fresh key for each request."
        )
    return Response(json.loads(decrypt(answer.body)), status=answer.status, headers={"Idempotent-Replay": "true"})
