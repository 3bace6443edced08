"""The manager that Django's authentication asks for."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.base_user import BaseUserManager


class UserManager(BaseUserManager[Any]):
    """Find people by name. People are made by `services.create_user`, which audits."""

    use_in_migrations = False
