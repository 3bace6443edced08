"""Secrets in logs: whatever the pieces in which a log comes, and in the forms that programs give them."""

from __future__ import annotations

import base64
import itertools
import json
import random
import re
import urllib.parse

import pytest

from modelwright.compute.backends.shim.masking import Masker
from modelwright.compute.masking import forms


def masked(text: bytes, *values: bytes, cuts: list[int] | None = None) -> bytes:
    """The text as a log keeps it, cut at the places."""
    masker = Masker(list(values))
    places = [0, *(cuts or []), len(text)]
    pieces = [masker.feed(text[start:stop]) for start, stop in itertools.pairwise(places)]
    return b"".join([*pieces, masker.rest()])


@pytest.mark.parametrize("cut", range(40))
def test_a_value_that_is_cut_anywhere_is_masked(cut: int) -> None:
    text = b"token=hunter2hunter2 again hunter2hunter2\n"
    assert masked(text, b"hunter2hunter2", cuts=[cut]) == b"token=*** again ***\n"


def test_a_value_that_comes_byte_by_byte_is_masked() -> None:
    text = b"x hunter2 hunterX hunter2"
    assert masked(text, b"hunter2", cuts=list(range(len(text)))) == b"x *** hunterX ***"


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        (b"abcdefgh", [b"abcd", b"cdefgh"], b"***"),  # they overlap
        (b"-abcdefgh-", [b"abcdefgh", b"abcd"], b"-***-"),  # one is in the other
        (b"abababab", [b"abab"], b"***"),  # it overlaps itself
        (b"aaaabaaaac", [b"aaaac"], b"aaaab***"),  # a beginning that leads nowhere
        (b"xabcabcd", [b"abcd"], b"xabc***"),
        (b"abcd abc", [b"abcd"], b"*** abc"),  # the end of the log is a beginning
        (b"abc", [b"abc"], b"abc"),  # too short
        (b"", [b"abcd"], b""),
        (b"\xffabcd\xfe", [b"abcd"], b"\xff***\xfe"),
    ],
)
def test_every_cut_gives_the_same(text: bytes, values: list[bytes], expected: bytes) -> None:
    for cut in range(len(text) + 1):
        assert masked(text, *values, cuts=[cut]) == expected
    assert masked(text, *values, cuts=list(range(len(text)))) == expected


def test_random_texts_in_random_pieces_hold_no_value() -> None:
    chance = random.Random(7)
    for _ in range(400):
        values = [bytes(chance.choices(b"ab", k=chance.randint(4, 9))) for _ in range(3)]
        text = bytes(chance.choices(b"abc", k=chance.randint(0, 80)))
        cuts = sorted(chance.choices(range(len(text) + 1), k=6))
        covered = bytearray(len(text))
        for value in values:
            for found in re.finditer(b"(?=" + value + b")", text):
                covered[found.start() : found.start() + len(value)] = b"\1" * len(value)
        left = bytes(byte for byte, mark in zip(text, covered, strict=True) if not mark)
        assert masked(text, *values, cuts=cuts).replace(b"***", b"") == left


def test_a_flood_of_one_letter_is_not_kept_in_memory() -> None:
    masker = Masker([b"a" * 8])
    given = sum(len(masker.feed(b"a" * 1000)) for _ in range(50))
    assert given < 1000
    assert len(masker._held) < 8


SECRET = 'pä55/w+rd?&="x"\'\\end'


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        urllib.parse.quote(SECRET),
        urllib.parse.quote(SECRET, safe=""),
        urllib.parse.quote_plus(SECRET),
        urllib.parse.quote_plus(SECRET).replace("%2F", "%2f").replace("%3F", "%3f").replace("%2B", "%2b")
        .replace("%26", "%26").replace("%3D", "%3d").replace("%C3%A4", "%c3%a4").replace("%5C", "%5c"),
        urllib.parse.urlencode({"key": SECRET}),
        json.dumps({"key": SECRET}),
        json.dumps({"key": SECRET}, ensure_ascii=False),
        repr([SECRET]),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
        *(base64.b64encode(b"u" * n + b":" + SECRET.encode() + b"!").decode() for n in range(1, 4)),
    ],
    ids=range(14),
)  # fmt: skip
def test_usual_forms_of_a_value_are_masked(written: str) -> None:
    texts = [form.encode() for form in forms([SECRET])]
    line = f"<{written}>\n".encode()
    for cut in (0, 5, 11, len(line) - 4):
        seen = masked(line, *texts, cuts=[cut])
        assert b"***" in seen
        # What is left is what stood around it, and at most the characters that hold bits of both.
        assert len(seen.replace(b"***", b"")) <= 16


def test_base64_in_lines_and_lines_of_a_value_are_masked() -> None:
    key = "-----BEGIN KEY-----\n" + "\n".join(f"line{n}" * 9 for n in range(6)) + "\n-----END KEY-----\n"
    texts = [form.encode() for form in forms([key])]
    assert b"line" not in masked(key.replace("\n", "\r\n").encode(), *texts)
    wrapped = base64.encodebytes(key.encode())
    assert len(masked(wrapped, *texts).replace(b"***", b"").strip()) < 12


def test_short_values_have_no_other_forms() -> None:
    assert forms(["abcd", "", "a b"]) == ("abcd", "a b")
