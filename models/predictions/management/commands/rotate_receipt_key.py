"""`manage.py rotate_receipt_key`: signs receipts with another key from now on."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from models.predictions.receipt_keys import rotate
from modelwright.accounts.actors import Actor


class Command(BaseCommand):
    """Makes another key. The public keys of earlier ones stay published, so that their receipts stay valid."""

    help = "Sign receipts with a new key from now on; earlier receipts stay valid."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Make it and say its id."""
        made = rotate(acting_user=Actor.system("manage.py rotate_receipt_key"))
        self.stdout.write(f"Receipts are signed with the key {made.pk} from now on.")
