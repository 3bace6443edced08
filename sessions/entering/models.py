"""Tables: the logins from which somebody went to a session or an application."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from modelwright.core.models import BaseModel


class Admission(BaseModel):
    """A login of a person that has entered something. It goes when the login ends.

    `login` is the digest that the proxy knows it by, `proof` that of what a changed password changes.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    session_key = models.CharField(max_length=40)
    login = models.CharField(max_length=64, unique=True)
    proof = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"a login of {self.user}"
