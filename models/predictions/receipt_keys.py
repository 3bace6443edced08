"""The key that signs receipts: its private half is a file of the control plane, its public half is published for ever.

The file is made on first use and kept for the installation's life, or until `manage.py rotate_receipt_key`.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from models.predictions.models import ReceiptKey
from modelwright.accounts.actors import Actor
from modelwright.audit.actions import AuditAction
from modelwright.audit.services import Target, record
from modelwright.core.errors import Unavailable
from modelwright.core.receipts import key_id, public_pem

RECEIPTS = Actor.system("receipts")


def key_file() -> Path:
    """Where the private key lies, readable for the platform alone."""
    return Path(settings.DATA_DIR) / "secrets" / "receipt-key.pem"


def public_keys() -> QuerySet[ReceiptKey]:
    """Every key that ever signed a receipt of this installation, the newest first. They are no secret."""
    return ReceiptKey.objects.order_by("-created_at", "key_id")


def signing_key() -> Ed25519PrivateKey:
    """The key in use, made where there is none yet and put on record. Raises Unavailable when it cannot be read."""
    private = _read()
    if private is None:
        _write(Ed25519PrivateKey.generate(), replace=False)
        private = _read()
    if private is None:
        raise _unreadable("it is not there")
    publish(private, acting_user=RECEIPTS)
    return private


def rotate(*, acting_user: Actor) -> ReceiptKey:
    """Make another key and sign with it from now on. Receipts of earlier ones stay valid: their keys stay listed."""
    signing_key()
    private = Ed25519PrivateKey.generate()
    _write(private, replace=True)
    return publish(private, acting_user=acting_user)


@transaction.atomic
def publish(private: Ed25519PrivateKey, *, acting_user: Actor) -> ReceiptKey:
    """Put the public half on record, once."""
    public = private.public_key()
    made: ReceiptKey
    made, is_new = ReceiptKey.objects.get_or_create(key_id=key_id(public), defaults={"public_key": public_pem(public)})
    if is_new:
        record(
            acting_user=acting_user,
            action=AuditAction.RECEIPT_KEY_CREATED,
            target=Target("receipt key", made.pk, made.pk),
            after={"key_id": made.pk},
        )
    return made


def _read() -> Ed25519PrivateKey | None:
    try:
        content = key_file().read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(error.strerror or str(error)) from None
    try:
        private = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError) as error:
        raise _unreadable(str(error)) from None
    if not isinstance(private, Ed25519PrivateKey):
        raise _unreadable("it is no Ed25519 key")
    return private


def _write(private: Ed25519PrivateKey, *, replace: bool) -> None:
    """Whole or not at all. Without `replace`, whoever was first has made it."""
    form = serialization.PrivateFormat.PKCS8
    content = private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    path = key_file()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".receipt-key-")  # mode 600
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            os.replace(name, path)
        else:
            _link(name, path)
    except OSError as error:
        raise _unreadable(f"it cannot be made: {error.strerror}") from None


def _link(name: str, path: Path) -> None:
    try:
        os.link(name, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(name)


def _unreadable(reason: str) -> Unavailable:
    return Unavailable(
        f"The key that signs receipts cannot be used: {reason}.",
        remedy=f"Let an administrator look at {key_file().name} in the secrets of the data directory, or restore it.",
    )
