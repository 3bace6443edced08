"""The hierarchy of errors that people see.

`message` says what happened and why, `remedy` what to do next. API and pages render the same object.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that was wrong: where, why, and what would be right."""

    field: str
    message: str
    remedy: str = ""


class PlatformError(Exception):
    """Base of every error that is meant for a person or a client."""

    status = 400
    title = "The request could not be carried out"
    code = "error"

    def __init__(
        self, message: str, *, remedy: str = "", field: str | None = None, errors: tuple[FieldError, ...] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.errors = errors or ((FieldError(field, message, remedy),) if field else ())


class ValidationFailed(PlatformError):
    """Something in the input is wrong; `errors` names each field."""

    status = 422
    title = "Some of the input is not valid"
    code = "validation-failed"


class NotFound(PlatformError):
    """There is no such thing, or the person may not know that there is."""

    status = 404
    title = "Not found"
    code = "not-found"


class PermissionRefused(PlatformError):
    """The person may see the thing but not do this to it."""

    status = 403
    title = "Not allowed"
    code = "permission-refused"


class Conflict(PlatformError):
    """The thing's present state does not allow it, or somebody was faster."""

    status = 409
    title = "In conflict with the present state"
    code = "conflict"


class QuotaExceeded(Conflict):
    """A limit of the workspace or host does not allow it."""

    title = "Over a limit"
    code = "quota-exceeded"


class PreconditionFailed(PlatformError):
    """The `If-Match` header names a version that is no longer current."""

    status = 412
    title = "Changed in the meantime"
    code = "precondition-failed"


class TooManyRequests(PlatformError):
    """Too many tries in a short time."""

    status = 429
    title = "Too many tries"
    code = "too-many-requests"


class Unavailable(PlatformError):
    """A part that is needed does not answer now; trying again later may help."""

    status = 503
    title = "Not available at the moment"
    code = "unavailable"
