"""Secrets at rest: hashes for what is only compared, encryption for what is handed out again."""

import base64
import hashlib
import hmac
import secrets

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

from modelwright.core.errors import Unavailable


def new_token(prefix: str) -> str:
    """Return a new random token with 256 bits, `prefix` in front so that leak scanners find it."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"


def token_digest(token: str) -> str:
    """Return the SHA-256 of a token in hex. Tokens are random, so no salt or slow hash is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def digests_equal(first: str, second: str) -> bool:
    """Compare two digests in constant time."""
    return hmac.compare_digest(first, second)


def fingerprint(text: str, *, purpose: str) -> str:
    """Return 12 digits by which two equal texts are seen to be equal, and from which, without the installation's key,
    nothing is learned about a text, also where it is easy to guess."""
    key = hashlib.sha256(f"modelwright fingerprint\0{purpose}\0{settings.SECRET_KEY}".encode()).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:12]


def _cipher() -> Fernet:
    key = hashlib.sha256(b"modelwright secrets at rest\0" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))


def encrypt(text: str) -> str:
    """Encrypt `text` under the installation's key (Fernet: AES-128-CBC with HMAC-SHA-256)."""
    return _cipher().encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """Return what `encrypt` was given. Raises Unavailable when the installation's key has changed."""
    try:
        return _cipher().decrypt(token.encode()).decode()
    except InvalidToken:
        raise Unavailable(
            "A stored secret cannot be decrypted: the installation's secret key has changed.",
            remedy="Restore the file that MODELWRIGHT_SECRET_KEY_FILE names, or set the secret again.",
        ) from None
