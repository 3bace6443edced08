"""Tables: people, their API tokens, and answers kept for repeated requests."""

from __future__ import annotations

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models

from modelwright.accounts.managers import UserManager
from modelwright.core.ids import new_id
from modelwright.core.models import BaseModel
from modelwright.core.validators import validate_name


class User(AbstractBaseUser):
    """A person. Site roles are two flags; every other role is a membership in a workspace or project."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    username = models.CharField(max_length=63, unique=True, validators=[validate_name])
    full_name = models.CharField(max_length=200, blank=True, default="")
    email = models.EmailField(blank=True, default="")
    is_active = models.BooleanField(default=True)
    is_site_admin = models.BooleanField(default=False)
    is_auditor = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = UserManager()
    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = []

    def __str__(self) -> str:
        return self.username

    @property
    def display_name(self) -> str:
        """The full name, or the user name where there is none."""
        return self.full_name or self.username


class ApiToken(BaseModel):
    """A person's token for the REST API. Only its digest is kept; it is shown once."""

    class Scope(models.TextChoices):
        """What the token may do of what its owner may."""

        READ = "read", "Read only"
        FULL = "full", "Everything its owner may do"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=16)
    scope = models.CharField(max_length=8, choices=Scope.choices, default=Scope.FULL)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class KeptAnswer(BaseModel):
    """The answer to a request that carried an `Idempotency-Key`, repeated to whoever repeats the request."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=200)
    request_digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    # Encrypted: an answer may hold a token that is shown once.
    body = models.TextField(default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="kept_answer_user_key")]

    def __str__(self) -> str:
        return self.key
