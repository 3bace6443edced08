"""`manage.py create_admin`: the first administrator."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from modelwright.accounts.actors import Actor
from modelwright.accounts.models import User
from modelwright.accounts.services import create_user


class Command(BaseCommand):
    """Make an administrator whose password stands in a file. Does nothing when the name exists."""

    help = "Make an administrator unless one of that name exists."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--username", default="admin")
        parser.add_argument("--password-file", required=True, type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command."""
        if User.objects.filter(username=options["username"]).exists():
            self.stdout.write(f"{options['username']} exists already.")
            return
        password = options["password_file"].read_text().strip()
        create_user(
            username=options["username"],
            password=password,
            full_name="Administrator",
            is_site_admin=True,
            acting_user=Actor.system("create_admin"),
        )
        self.stdout.write(f"Made the administrator {options['username']}.")
