"""What is known of a request while it is read, and of a head that came before."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from models.gateway.responses import Response

NO_HEADERS: Mapping[bytes, bytes] = MappingProxyType({})

# What protocols read besides; everything else in a head is passed over, but for what people name as they like: a
# version is asked for by one, and requests may be shared by one.
KEPT_HEADERS = frozenset((b"accept", b"traceparent", b"inference-header-content-length"))
OWN_HEADERS = b"x-"


class Message:
    """What is known of the request that is being read."""

    __slots__ = (
        "authorization",
        "body_bytes",
        "chunks",
        "content_type",
        "encoding",
        "expects_continue",
        "head_bytes",
        "header_bytes",
        "headers",
        "in_body",
        "length",
        "method",
        "path",
        "refusal",
        "refused_early",
        "reserved",
        "reserved_for",
        "url",
    )

    def __init__(self) -> None:
        self.url = b""
        self.path = b""
        self.method = b""
        self.authorization = b""
        self.encoding = b""
        self.content_type = b""
        self.headers: dict[bytes, bytes] | None = None
        self.length = 0
        self.expects_continue = False
        self.header_bytes = 0
        self.head_bytes = 0
        self.body_bytes = 0
        self.chunks: list[bytes] = []
        self.refusal: Response | None = None
        self.refused_early = False
        self.reserved = 0
        self.reserved_for = b""
        self.in_body = False


class Head:
    """A head that came before, byte for byte: clients that keep a connection send the same one again and again. It was
    understood then, and `length` bytes of body follow it. Compared by identity: what others know of it, they keep."""

    __slots__ = ("authorization", "content_type", "headers", "length", "method", "path")

    def __init__(self, message: Message) -> None:
        self.method = message.method
        self.path = message.path
        self.authorization = message.authorization
        self.content_type = message.content_type
        self.headers = NO_HEADERS if message.headers is None else message.headers
        self.length = message.length
