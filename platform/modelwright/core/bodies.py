"""Bodies of requests, bounded before anything reads them: Django writes a body to disk whole before a view is asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from modelwright.core.errors import PlatformError
from modelwright.core.problems import problem_response

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Any, Receive, Send], Awaitable[None]]
Known = Callable[[Any], Awaitable[bool]]


class BodyTooLarge(PlatformError):
    """The body has more bytes than its address takes."""

    status = 413
    title = "Body too large"
    code = "body-too-large"


class NotKnown(PlatformError):
    """Whoever sends the body is not known, and what is so large is not taken from strangers."""

    status = 401
    title = "Not authenticated"
    code = "not-authenticated"


@dataclass(frozen=True, slots=True)
class Bodies:
    """How many bytes a body may have: `usual`, or more where the path ends as `larger` says.

    What is more than usual comes from those alone whom `bounded` is told to know: before that it would lie on the disk
    of whoever asks later who sent it.
    """

    usual: int
    larger: Mapping[str, int]

    def limit(self, path: str) -> int:
        """For a path; numbers at its end do not matter."""
        parts = [part for part in path.split("/") if part and not part.isdigit()]
        return self.larger.get("/".join(parts[-2:]), self.larger.get(parts[-1] if parts else "", self.usual))

    async def bounded(
        self, application: Application, scope: Any, receive: Receive, send: Send, *, is_known: Known
    ) -> None:
        """Answer with the application; with 413 as soon as the body is known to be too large, or with 401 as soon as it
        is known to be more than usual, and `is_known` knows nobody who sends it."""
        limit = self.limit(scope["path"])
        open_to_all = min(limit, self.usual)

        async def refusal(size: int) -> PlatformError | None:
            nonlocal open_to_all
            if size > limit:
                return _too_large(limit)
            if size > open_to_all:
                if not await is_known(scope):
                    return _not_known(self.usual)
                open_to_all = limit
            return None

        if error := await refusal(_announced(scope)):
            await _refuse(send, error)
            return
        taken, refused = 0, False

        async def take() -> Any:
            nonlocal taken, refused
            message = {"type": "http.disconnect"} if refused else await receive()
            if message["type"] == "http.request":
                taken += len(message.get("body", b""))
                if error := await refusal(taken):
                    refused = True
                    await _refuse(send, error)
                    return {"type": "http.disconnect"}
            return message

        async def give(message: Any) -> None:
            if not refused:
                await send(message)

        await application(scope, take, give)


def _announced(scope: Any) -> int:
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    return max((int(value) for value in lengths if value.isdigit()), default=0)


def _too_large(limit: int) -> PlatformError:
    return BodyTooLarge(
        f"The body has more than the {limit // 1024**2:,} MiB that are taken here.",
        remedy="Send less at once: the documentation of the address says what it takes.",
    )


def _not_known(usual: int) -> PlatformError:
    return NotKnown(
        f"The body has more than {usual // 1024**2:,} MiB, which is taken from those alone who are signed in.",
        remedy="Send it with a live token or login.",
    )


async def _refuse(send: Send, error: PlatformError) -> None:
    response = problem_response(error)
    headers = [(name.lower().encode(), value.encode()) for name, value in response.items()]
    headers += [(b"content-length", str(len(response.content)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.content})
