"""Saving rows so that what is wrong with them reaches a person."""

from __future__ import annotations

from collections.abc import Iterable

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import IntegrityError, models, transaction

from modelwright.core.errors import Conflict, FieldError, ValidationFailed


def check_fields(row: models.Model) -> None:
    """Run the validators of the row's fields. Raises ValidationFailed, which names each wrong field."""
    try:
        row.clean_fields()
    except DjangoValidationError as error:
        errors = tuple(FieldError(field, " ".join(messages)) for field, messages in error.message_dict.items())
        raise ValidationFailed(
            "; ".join(f"{e.field}: {e.message}" for e in errors), remedy="Correct the fields named.", errors=errors
        ) from None


def insert(row: models.Model, *, taken: str, field: str = "name") -> None:
    """Check and insert the row. Raises ValidationFailed, or Conflict with the message `taken`."""
    check_fields(row)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise Conflict(taken, remedy="Choose another name.", field=field) from None


def update(row: models.Model, fields: Iterable[str], *, taken: str = "", field: str = "name") -> None:
    """Check the row and write `fields` of it. Raises ValidationFailed, or Conflict with the message `taken`."""
    check_fields(row)
    try:
        with transaction.atomic():
            row.save(update_fields=list(fields))
    except IntegrityError:
        if not taken:
            raise
        raise Conflict(taken, remedy="Choose another name.", field=field) from None
