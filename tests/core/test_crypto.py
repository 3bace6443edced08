"""Secrets at rest."""

from __future__ import annotations

import pytest
from django.test import override_settings

from modelwright.core.crypto import decrypt, encrypt, new_token, token_digest
from modelwright.core.errors import Unavailable


def test_what_is_encrypted_comes_back_and_is_not_readable() -> None:
    sealed = encrypt("a pass phrase")
    assert "pass" not in sealed
    assert decrypt(sealed) == "a pass phrase"
    assert encrypt("a pass phrase") != sealed


def test_another_key_says_what_to_do() -> None:
    sealed = encrypt("x")
    with override_settings(SECRET_KEY="another"), pytest.raises(Unavailable) as caught:
        decrypt(sealed)
    assert "MODELWRIGHT_SECRET_KEY_FILE" in caught.value.remedy


def test_tokens_are_long_and_only_their_digest_compares() -> None:
    token = new_token("mwt")
    assert token.startswith("mwt_")
    assert len(token) >= 47
    assert token != new_token("mwt")
    assert token_digest(token) == token_digest(token)
    assert len(token_digest(token)) == 64
