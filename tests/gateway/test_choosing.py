"""Units keep their version, shares are those of the weights, and only what takes requests is ever chosen."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from models.gateway.choosing import Chooser, pinned, unit_of
from models.gateway.routes import Endpoint, Match, Target, parse
from models.gateway.routing import RoutingError, Units, parse_routing, unit_text
from tests.gateway.processes import endpoint, target

WEIGHTS = st.lists(st.integers(0, 1000), min_size=2, max_size=5).filter(any)
SOME_UNITS = [f"customer-{number}" for number in range(300)]
MANY_UNITS = [f"{number}" for number in range(5000)]


def units(weights: list[int], salt: str = "s") -> Units:
    return Units(salt, [(f"version-{number}", weight) for number, weight in enumerate(weights)])


@given(WEIGHTS, st.integers(0, 4), st.integers(1, 1000), st.text(max_size=3))
def test_growing_one_weight_moves_units_to_that_version_alone(
    weights: list[int], which: int, more: int, salt: str
) -> None:
    which %= len(weights)
    grown = [weight + more * (place == which) for place, weight in enumerate(weights)]
    before, after = units(weights, salt), units(grown, salt)
    for unit in SOME_UNITS:
        was, now = before.place(unit), after.place(unit)
        assert now in (was, which)


@given(st.integers(1, 99), st.integers(1, 99))
def test_of_two_shares_the_one_that_grows_takes_units_and_gives_none(small: int, large: int) -> None:
    assume(small < large)
    before, after = units([100 - small, small]), units([100 - large, large])
    assert not [unit for unit in SOME_UNITS if before.place(unit) == 1 and after.place(unit) == 0]


@pytest.mark.parametrize("weights", [[50, 50], [95, 5], [1, 1, 1], [70, 20, 10], [0, 3, 1]])
def test_shares_of_units_are_those_of_the_weights(weights: list[int]) -> None:
    for salt in ("", "another"):
        shares = Counter(map(units(weights, salt).place, MANY_UNITS))
        for place, weight in enumerate(weights):
            # Five standard deviations of the largest possible.
            assert shares[place] / len(MANY_UNITS) == pytest.approx(weight / sum(weights), abs=0.036)


def test_another_salt_shares_units_anew() -> None:
    one, other = units([1, 1], "one"), units([1, 1], "other")
    same = sum(one.place(unit) == other.place(unit) for unit in MANY_UNITS)
    assert 0.45 < same / len(MANY_UNITS) < 0.55


@given(WEIGHTS, st.sets(st.integers(0, 4)))
def test_without_some_versions_only_their_own_units_move(weights: list[int], gone: set[int]) -> None:
    among = {place for place in range(len(weights)) if place not in gone}
    assume(any(weights[place] for place in among))
    found = units(weights)
    for unit in SOME_UNITS:
        was = found.place(unit)
        now = found.place(unit, among)
        assert now == was if was in among else now in among


@pytest.mark.parametrize(
    ("value", "text"),
    [(3, "3"), (3.0, "3"), ("3", "3"), (2.5, "2.5"), (True, "True"), ("", None), (None, None), ([1], None)],
)
def test_a_unit_is_the_same_however_it_is_written(value: Any, text: str | None) -> None:
    assert unit_text(value) == text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["assign", "pins", "by", "name", "salt", "header", "keys"]), inner, max_size=4
        )
    ),
)


@given(JSON)
def test_a_routing_is_read_or_refused_in_words(data: Any) -> None:
    try:
        parse_routing(data)
    except RoutingError as error:
        assert len(str(error)) > 10  # noqa: PT017 - nothing else may be raised


def served(*targets: dict[str, Any], **extras: Any) -> Endpoint:
    table = {"revision": 1, "endpoints": {"acme/wine": {**endpoint(1, *targets), **extras}}}
    parsed = parse(json.dumps(table).encode())
    assert not parsed.troubles
    return parsed.endpoints["acme/wine"]


def in_role(version: int, role: str, weight: int = 100) -> dict[str, Any]:
    return {**target("wine", version, weight=weight), "role": role}


def chooser(*down: int) -> Chooser:
    return Chooser(lambda one: one.version not in down, lambda unit: f"digest of {unit}")


ROLES = st.sampled_from(["live", "canary", "shadow", "fallback", "node"])
PARTS = st.lists(st.tuples(ROLES, st.integers(0, 5)), min_size=1, max_size=5)


@given(PARTS, st.booleans(), st.sampled_from(["", "1", "2", "9"]), st.booleans(), st.sets(st.integers(1, 5)))
def test_only_versions_that_take_requests_are_chosen(
    parts: list[tuple[str, int]], by_unit: bool, named: str, by_header: bool, down: set[int]
) -> None:
    routing = {"assign": {"by": "header", "name": "x-user-id"}} if by_unit else {}
    found = served(*(in_role(n, role, weight) for n, (role, weight) in enumerate(parts, 1)), routing=routing)
    match = Match(found, "own", "predict", "wine" if named else "", named)
    match = pinned(match._replace(model="", version=""), {b"x-modelwright-version": b"2"}) if by_header else match
    choice = chooser(*down).choose(match, "key", "unit" if by_unit else None)
    answering = {number: weight for number, (role, weight) in enumerate(parts, 1) if role in ("live", "canary")}
    if by_header:
        assert (choice is not None) is (2 in answering)
    elif choice is None:
        assert not [n for n, weight in answering.items() if weight and named in ("", str(n))]
    if choice is not None:
        assert choice.target.version in answering
        is_plain = found.plain is choice.target and choice.facts is None
        assert is_plain or (choice.facts or {})["role"] == choice.target.role


def test_a_unit_meets_its_version_again_and_another_while_that_is_down() -> None:
    found = served(in_role(1, "live", 50), in_role(2, "canary", 50), routing=_by_header("X-User-Id"))
    match = Match(found, "own", "predict")
    assert unit_of(match, {b"x-user-id": b" ann "}, None) == "ann"
    first = chooser().choose(match, "key", "ann")
    assert first is not None
    assert first == chooser().choose(match, "key", "ann")
    assert (first.facts or {})["assignment"] == {"by": "unit", "unit": "digest of ann"}
    away = chooser(first.target.version).choose(match, "key", "ann")
    assert away is not None
    assert away.target != first.target
    assert (away.facts or {})["assignment"]["away_from"] == first.target.model_version_id
    # Protocols name a model in each path: the endpoint's own name shares out as no name does.
    named = match._replace(model="wine")
    assert chooser().choose(named, "key", "ann") == first


def test_without_a_unit_weights_decide_and_it_is_on_record() -> None:
    found = served(in_role(1, "live", 50), in_role(2, "live", 50), routing=_by_header("x-user-id"))
    match = Match(found, "own", "predict")
    picks = [chooser().choose(match, "key", unit_of(match, {}, None)) for _ in range(200)]
    assert {pick.target.version for pick in picks if pick} == {1, 2}
    assert {json.dumps(pick.facts) for pick in picks if pick} == {'{"role": "live", "assignment": {"by": "weight"}}'}


def test_a_column_of_the_first_record_is_a_unit() -> None:
    found = served(in_role(1, "live"), routing={"assign": {"by": "column", "name": "region"}})
    match = Match(found, "own", "predict")
    assert unit_of(match, {}, [{"region": "north"}, {"region": "south"}]) == "north"
    assert unit_of(match, {}, [{"region": None}]) is None
    assert unit_of(match, {}, ["no record"]) is None
    assert unit_of(match, {}, None) is None


def test_a_pinned_key_meets_its_version_whatever_the_weights() -> None:
    targets = in_role(1, "live"), in_role(2, "canary", 0)
    pins = {"keys": {"of ann": targets[1]["model_version_id"], "of bob": "gone"}}
    found = served(*targets, routing={"pins": pins})
    match = Match(found, "own", "predict")
    assert _version(chooser().choose(match, "of ann", None)) == 2
    assert _version(chooser(2).choose(match, "of ann", None)) == 2
    assert _version(chooser().choose(match, "of bob", None)) == 1
    assert _version(chooser().choose(match._replace(model="wine", version="1"), "of ann", None)) == 1


@pytest.mark.parametrize(
    ("value", "path", "expected"),
    [
        (b"2", ("", ""), 2),
        (b"wine/2", ("", ""), 2),
        (b" 1 ", ("", ""), 1),
        (b"beer/2", ("", ""), None),
        (b"3", ("", ""), None),
        (b"4", ("", ""), None),
        (b"", ("", ""), None),
        (b"\xff/\xfe", ("", ""), None),
        (b"2", ("wine", ""), 2),
        (b"2", ("wine", "2"), 2),
        (b"2", ("wine", "1"), None),
    ],
)
def test_a_client_may_name_a_version_that_is_live_or_canary(
    value: bytes, path: tuple[str, str], expected: int | None
) -> None:
    found = served(in_role(1, "live"), in_role(2, "canary", 0), in_role(3, "shadow"))
    match = pinned(Match(found, "own", "predict", *path), {b"x-modelwright-version": value})
    assert _version(chooser().choose(match, "key", None)) == expected
    closed = served(in_role(1, "live"), in_role(2, "canary", 0), routing={"pins": {"header": False}})
    passed_over = pinned(Match(closed, "own", "predict"), {b"x-modelwright-version": value})
    assert _version(chooser().choose(passed_over, "key", None)) == 1


def test_one_live_version_needs_no_choice() -> None:
    assert served(in_role(1, "live"), in_role(2, "shadow")).plain is not None
    assert served(in_role(1, "canary")).plain is None
    assert served(in_role(1, "live"), state="stopped").plain is None
    assert served(in_role(1, "live"), in_role(2, "canary")).plain is None


def _version(choice: Any) -> int | None:
    found: Target | None = choice.target if choice is not None else None
    return found.version if found is not None else None


def _by_header(name: str) -> dict[str, Any]:
    return {"assign": {"by": "header", "name": name}}
