"""What each problem type means and what to do. Every `code` of a PlatformError stands here (tested)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem type of the REST API and of the pages."""

    code: str
    status: int
    title: str
    meaning: str
    remedy: str


PROBLEMS = (
    Problem(
        "malformed", 400, "The request cannot be read",
        "The body is not valid JSON, or a header cannot be parsed.",
        "Check the body with a JSON linter. Send UTF-8.",
    ),
    Problem(
        "error", 400, "The request could not be carried out",
        "The request makes no sense as a whole; `detail` says why.",
        "Follow `remedy`.",
    ),
    Problem(
        "not-authenticated", 401, "Not signed in",
        "There is no token, or the token is unknown, expired or revoked.",
        "Send `Authorization: Bearer <token>`. Make a token on your profile page.",
    ),
    Problem(
        "permission-refused", 403, "Not allowed",
        "You may see the thing, but your role does not allow what you asked. A read-only token may not write.",
        "Ask an administrator of the project or workspace for the role, or use a token of full scope.",
    ),
    Problem(
        "not-found", 404, "Not found",
        "There is no such thing, or you may not know that there is: the answer is the same, so that nothing leaks.",
        "Check the address and the id in it. If it should exist, ask its owner to add you.",
    ),
    Problem(
        "method-not-allowed", 405, "The address has no such method",
        "The address exists but does not answer to this HTTP method.",
        "See the REST API's documentation for the methods of each address.",
    ),
    Problem(
        "not-acceptable", 406, "Not to be had in this format",
        "The `Accept` header asks for something else than the address can answer.",
        "Ask for `application/json`.",
    ),
    Problem(
        "conflict", 409, "In conflict with the present state",
        "The thing's state does not allow it: a name is taken, a run has ended, somebody was faster.",
        "Read the thing again and decide anew.",
    ),
    Problem(
        "quota-exceeded", 409, "Over a limit",
        "A limit of the workspace or host would be passed.",
        "Ask for less, stop something, or ask an administrator to raise the limit.",
    ),
    Problem(
        "precondition-failed", 412, "Changed in the meantime",
        "The `If-Match` header names a version that is no longer current.",
        "Read the thing again, apply your change to it, and send its new ETag.",
    ),
    Problem(
        "body-too-large", 413, "Body too large",
        "The body has more bytes than the address takes.",
        "Send less at once; the documentation of the address says what it takes.",
    ),
    Problem(
        "unsupported-media-type", 415, "Not JSON",
        "The body is of a type that the address does not read.",
        "Send JSON with `Content-Type: application/json`.",
    ),
    Problem(
        "validation-failed", 422, "Some of the input is not valid",
        "Some field is missing or wrong. `errors` names each field, what is wrong, and what would be right.",
        "Correct the fields in `errors` and send it again. Nothing was changed.",
    ),
    Problem(
        "too-many-requests", 429, "Too many tries",
        "Too many requests or wrong passwords came in a short time.",
        "Wait as long as `detail` says.",
    ),
    Problem(
        "internal-error", 500, "Something went wrong in the platform",
        "A fault of the platform. The transaction was undone: the request changed nothing.",
        "Try again. If it happens again, give an administrator the `X-Request-ID` of the answer; it stands in the log.",
    ),
    Problem(
        "unavailable", 503, "Not available at the moment",
        "A part that is needed, such as the tracking server, does not answer now.",
        "Try again after the seconds in `Retry-After`. The state of every part stands at /health/ready.",
    ),
)  # fmt: skip
