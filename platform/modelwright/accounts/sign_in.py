"""Signing in and out. Failures are audit rows, and those are what limits guessing."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth import authenticate, login, logout
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from modelwright.accounts.actors import Actor, actor_of
from modelwright.accounts.models import User
from modelwright.audit.actions import AuditAction
from modelwright.audit.models import AuditEvent
from modelwright.audit.services import Target, record
from modelwright.core.errors import TooManyRequests, ValidationFailed

WINDOW = timedelta(minutes=5)
MAX_FAILURES_PER_NAME = 10
# Many people may share an address, so it is allowed more; it stops one machine that tries many names.
MAX_FAILURES_PER_ADDRESS = 50


def _refuse_guessing(username: str, address: str) -> None:
    failures = AuditEvent.objects.filter(action=AuditAction.LOGIN_FAILED, at__gt=timezone.now() - WINDOW)
    too_many = failures.filter(target_name=username).count() >= MAX_FAILURES_PER_NAME
    if too_many or (address and failures.filter(address=address).count() >= MAX_FAILURES_PER_ADDRESS):
        minutes = WINDOW.seconds // 60
        raise TooManyRequests(
            f"There were too many wrong passwords in the last {minutes} minutes.",
            remedy=f"Wait {minutes} minutes, then try again. If you forgot your password, ask an administrator.",
        )


def _stranger(request: HttpRequest, username: str) -> Actor:
    return Actor(
        user=None,
        kind="anonymous",
        name=username,
        request_id=str(request.META.get("modelwright.request_id", "")),
        address=str(request.META.get("REMOTE_ADDR", "")),
    )


def sign_in(request: HttpRequest, *, username: str, password: str) -> User:
    """Sign the person in. Raises ValidationFailed on a wrong name or password, TooManyRequests after many of them."""
    stranger = _stranger(request, username)
    _refuse_guessing(username, stranger.address)
    user = authenticate(request, username=username, password=password)
    if not isinstance(user, User):
        with transaction.atomic():
            record(
                acting_user=stranger,
                action=AuditAction.LOGIN_FAILED,
                target=Target("user", "", username),
                role="not signed in",
            )
        raise ValidationFailed(
            "The name or the password is not right.",
            remedy="Check both; capital letters count in the password.",
        )
    with transaction.atomic():
        login(request, user)
        record(
            acting_user=actor_of(request),
            action=AuditAction.LOGIN_SUCCEEDED,
            target=Target("user", user.pk, user.username),
        )
    return user


def confirm(request: HttpRequest, *, password: str) -> None:
    """Have the person who is signed in say their password again, as before it is changed: who found their browser open
    must not find out the password as well. Raises ValidationFailed on a wrong one, TooManyRequests after many."""
    actor = actor_of(request)
    person = actor.require_user()
    _refuse_guessing(person.username, actor.address)
    if person.check_password(password):
        return
    with transaction.atomic():
        record(
            acting_user=actor,
            action=AuditAction.LOGIN_FAILED,
            target=Target("user", person.pk, person.username),
            reason="The present password was asked for again.",
        )
    raise ValidationFailed("The present password is not right.", remedy="Type it again.", field="old")


def sign_out(request: HttpRequest) -> None:
    """End the login session. Harmless where there is none."""
    if isinstance(request.user, User):
        with transaction.atomic():
            record(
                acting_user=actor_of(request),
                action=AuditAction.LOGOUT,
                target=Target("user", request.user.pk, request.user.username),
            )
    logout(request)
