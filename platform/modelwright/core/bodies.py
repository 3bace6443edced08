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


class BodyTooLarge(PlatformError):
    """The body has more bytes than its address takes."""

    status = 413
    title = "Body too large"
    code = "body-too-large"


@dataclass(frozen=True, slots=True)
class Bodies:
    """How many bytes a body may have: `usual`, or more where the path ends as `larger` says."""

    usual: int
    larger: Mapping[str, int]

    def limit(self, path: str) -> int:
        """For a path; numbers at its end do not matter."""
        parts = [part for part in path.split("/") if part and not part.isdigit()]
        return self.larger.get("/".join(parts[-2:]), self.larger.get(parts[-1] if parts else "", self.usual))

    async def bounded(self, application: Application, scope: Any, receive: Receive, send: Send) -> None:
        """Answer with the application, or with 413 as soon as the body is known to be too large."""
        limit = self.limit(scope["path"])
        if _announced(scope) > limit:
            await _refuse(send, limit)
            return
        taken, refused = 0, False

        async def take() -> Any:
            nonlocal taken, refused
            message = {"type": "http.disconnect"} if refused else await receive()
            if message["type"] == "http.request":
                taken += len(message.get("body", b""))
                if taken > limit:
                    refused = True
                    await _refuse(send, limit)
                    return {"type": "http.disconnect"}
            return message

        async def give(message: Any) -> None:
            if not refused:
                await send(message)

        await application(scope, take, give)


def _announced(scope: Any) -> int:
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    return max((int(value) for value in lengths if value.isdigit()), default=0)


async def _refuse(send: Send, limit: int) -> None:
    response = problem_response(
        BodyTooLarge(
            f"The body has more than the {limit // 1024**2:,} MiB that are taken here.",
            remedy="Send less at once: the documentation of the address says what it takes.",
        )
    )
    headers = [(name.lower().encode(), value.encode()) for name, value in response.items()]
    headers += [(b"content-length", str(len(response.content)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": response.content})
