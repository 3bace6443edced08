"""Lists on pages: filters, sorting, paging, and wrong parameters."""

from __future__ import annotations

from typing import Any

import pytest

from modelwright.accounts.models import User
from modelwright.core.listing import Column, Filter, Listing

COLUMNS = [Column("User", "username"), Column("Active", "active", ("is_active", "username")), Column("Actions")]
FILTERS = [
    Filter("q", "Name", ("username", "full_name")),
    Filter("auditor", "Auditor", ("is_auditor",), choices=[("True", "Yes"), ("False", "No")]),
    Filter("since", "Added since", ("created_at",), kind="date"),
    Filter("id", "Id", ("id",), rare=True, apply=lambda rows, value: rows.filter(pk=value)),
]


@pytest.fixture
def people(make_user: Any) -> None:
    for name in ("ann", "bob", "cid", "dan", "eve"):
        make_user(name, is_auditor=name in ("bob", "eve"))


def names(listing: Listing[User]) -> list[str]:
    return [person.username for person in listing.rows]


def make(params: dict[str, str] | None = None, size: int = 50, **more: str) -> Listing[User]:
    given = {**(params or {}), **more}
    return Listing(User.objects.all(), given, columns=COLUMNS, filters=FILTERS, default_sort="username", page_size=size)


def test_usual_order_and_reverse(people: None) -> None:
    assert names(make()) == ["ann", "bob", "cid", "dan", "eve"]
    assert names(make(sort="-username")) == ["eve", "dan", "cid", "bob", "ann"]


def test_filters_combine(people: None) -> None:
    assert names(make(q="B")) == ["bob"]
    assert names(make(auditor="True")) == ["bob", "eve"]
    assert names(make(auditor="True", q="e")) == ["eve"]
    assert names(make(since="2999-01-01")) == []


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"sort": "password"}, "cannot be sorted by 'password'"),
        ({"auditor": "perhaps"}, "Auditor has no value 'perhaps'"),
        ({"since": "yesterday"}, "give a date such as"),
        ({"since": "2026-13-45"}, "Added since"),
    ],
)
def test_wrong_parameters_show_the_usual_list_and_say_so(people: None, params: dict[str, str], words: str) -> None:
    listing = make(params)
    assert names(listing) == ["ann", "bob", "cid", "dan", "eve"]
    assert words in " ".join(listing.problems)


@pytest.mark.parametrize("page", ["0", "-1", "x", "1e3", "²", "99999999999999999999"])
def test_wrong_page_is_the_first_or_the_last(people: None, page: str) -> None:
    listing = make(page=page, size=2)
    assert names(listing) == ["ann", "bob"]
    assert listing.problems


def test_page_beyond_the_last_is_the_last(people: None) -> None:
    assert names(make(page="9", size=2)) == ["eve"]


def test_every_row_is_on_exactly_one_page(people: None) -> None:
    pages = [names(make(page=str(number), size=2, sort="active")) for number in (1, 2, 3)]
    assert sorted(name for page in pages for name in page) == ["ann", "bob", "cid", "dan", "eve"]


def test_links_keep_filters_and_drop_the_usual_order(people: None) -> None:
    listing = make(size=2, q="a", page="1")
    assert listing.query(page="2") == "?q=a&page=2"
    assert make(sort="-username", size=2).next_query == "?sort=-username&page=2"
    assert make(q="a&b").query() == "?q=a%26b"
    assert make(q="a").clear_query == "?"


def test_headings_turn_round(people: None) -> None:
    user, active, actions = make(sort="active").headings
    assert (user.url, user.direction) == ("?sort=username", "")
    assert (active.url, active.direction) == ("?sort=-active", "ascending")
    assert actions.url == ""


def test_filtered_list_differs_from_an_empty_one(db: None) -> None:
    assert make(q="x").is_filtered
    assert not make().is_filtered


def test_nul_and_endless_text_are_harmless(people: None) -> None:
    assert names(make(q="\0")) == ["ann", "bob", "cid", "dan", "eve"]
    assert names(make(q="x" * 10_000)) == []


def test_rare_filter_is_shown_only_while_set(people: None) -> None:
    assert [bound.is_shown for bound in make().filters] == [True, True, True, False]
    assert make(id=str(User.objects.get(username="ann").pk)).filters[-1].is_shown
