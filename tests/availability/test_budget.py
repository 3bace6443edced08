"""The error budget, burn rates, and when they are worth an alert."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.availability import alerting
from models.availability.budget import Counts, budget_left, burn_rate, requests_left
from models.availability.burning import RULES, burns
from models.availability.models import AvailabilityAlert, AvailabilityMinute
from models.endpoints.changing import change_endpoint
from models.endpoints.models import Endpoint
from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.core import mail

from .conftest import Count

HOUR, MINUTE, DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)


def test_the_budget_is_what_the_target_lets_fail() -> None:
    counts = Counts(answered=99_950, refused=20, failed=30)
    assert burn_rate(counts, 99.9) == pytest.approx(0.5)
    assert budget_left(counts, 99.9) == pytest.approx(0.5)
    assert requests_left(counts, 99.9) == 50
    assert budget_left(Counts(answered=0, failed=10), 99.9) == pytest.approx(-999)
    assert (budget_left(Counts(), 99.9), requests_left(Counts(), 99.9)) == (1, 0)


def test_the_rules_are_those_of_the_workbook() -> None:
    """Table 5-8 of chapter 5: 2 % of the budget in an hour, 5 % in six, 10 % in three days."""
    for rule in RULES:
        share = rule.rate * (rule.long / timedelta(days=30))
        assert share == pytest.approx(rule.budget)
        assert rule.long / rule.short == 12


@given(st.floats(50, 99.999), st.integers(3, 10**6))
def test_an_outage_of_everything_is_an_alert_whatever_the_target(target: float, lost: int) -> None:
    assert all(burn.opens for burn in burns(lambda _: Counts(failed=lost), target))


@given(st.floats(50, 99.999), st.integers(0, 10**6), st.integers(0, 10**6))
def test_what_keeps_the_target_is_never_an_alert(target: float, answered: int, lost: int) -> None:
    counts = Counts(answered=answered, failed=lost)
    keeps = counts.requests == 0 or 100 * lost / counts.requests < (100 - target) * 0.89
    assert not keeps or not any(burn.opens for burn in burns(lambda _: counts, target))


@pytest.mark.django_db
def test_an_alert_opens_once_and_closes_when_it_does_not_go_on(endpoint: Endpoint, count: Count) -> None:
    count(40 * MINUTE, answered=10_000)
    alerting.tick()
    assert not AvailabilityAlert.objects.exists()
    count(2 * MINUTE, answered=100, failed=150, refused=20)
    for _ in range(2):
        alerting.tick()
    opened = {alert.rule: alert for alert in AvailabilityAlert.objects.filter(state="open")}
    assert set(opened) == {"fast", "medium", "slow"}
    assert (opened["fast"].lost, opened["fast"].requests) == (170, 10_270)
    assert "170 of 10,270 requests of the last hour" in opened["fast"].detail
    # Ten minutes later: the short window of the fast rule is clean again, those of the others are not.
    AvailabilityMinute.objects.filter(failed__gt=0).update(minute=opened["fast"].created_at - 11 * MINUTE)
    alerting.tick()
    states = dict(AvailabilityAlert.objects.values_list("rule", "state"))
    assert states == {"fast": "closed", "medium": "open", "slow": "open"}
    actions = AuditEvent.objects.filter(action__startswith="availability-alert.").values_list("action", flat=True)
    assert sorted(actions) == ["availability-alert.closed"] + ["availability-alert.opened"] * 3


@pytest.mark.django_db(transaction=True)
def test_administrators_are_written_to_once(
    endpoint: Endpoint, count: Count, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    User.objects.filter(pk=ann.pk).update(email="ann@example.org")
    sent: list[tuple[list[str], str, str]] = []
    monkeypatch.setattr(mail, "send", lambda *letter: sent.append(letter))
    count(2 * MINUTE, answered=100, failed=150)
    for _ in range(2):
        alerting.tick()
    ((to, subject, text),) = sent
    assert (to, subject) == (["ann@example.org"], "acme/wine uses up its error budget too fast")
    assert text.count("150 of 250 requests") == 3
    assert f"/endpoints/{endpoint.pk}/availability/" in text


@pytest.mark.django_db
def test_a_few_that_fail_wake_nobody(endpoint: Endpoint, count: Count) -> None:
    count(MINUTE, answered=3, failed=2)
    alerting.tick()
    assert not AvailabilityAlert.objects.exists()


@pytest.mark.django_db
def test_without_a_target_there_is_nothing_to_alert_of(endpoint: Endpoint, count: Count, ann: User) -> None:
    count(MINUTE, failed=100)
    alerting.tick()
    assert AvailabilityAlert.objects.filter(state="open").count() == 3
    change_endpoint(endpoint, availability_target=None, acting_user=Actor.person(ann))
    alerting.tick()
    assert AvailabilityAlert.objects.filter(state="open").count() == 0


@pytest.mark.django_db
def test_what_no_page_draws_any_more_is_forgotten(endpoint: Endpoint, count: Count) -> None:
    count(401 * DAY, answered=1)
    count(399 * DAY, answered=2)
    alerting.forget()
    assert list(AvailabilityMinute.objects.values_list("answered", flat=True)) == [2]
