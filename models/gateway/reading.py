"""The room for large bodies that are being read, shared by all connections of a gateway."""

from __future__ import annotations

from models.gateway.http_messages import Message


class Reading:
    """`limit` bytes. The bodies of one key may take as much as they leave to those of others."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.bytes = 0
        self.by_key: dict[bytes, int] = {}

    def reserve(self, message: Message, size: int) -> bool:
        """Take so many bytes for the body of that message; False where there is no room for them."""
        if not message.reserved:
            # However the header is written, and whatever trailers make of it later.
            message.reserved_for = message.authorization.partition(b" ")[2].strip()
        own = self.by_key.get(message.reserved_for, 0) + size
        if own > self._limit - self.bytes:
            return False
        self.by_key[message.reserved_for] = own
        self.bytes += size
        message.reserved += size
        return True

    def release(self, message: Message) -> None:
        """Give back what was taken for the message."""
        if not message.reserved:
            return
        self.bytes -= message.reserved
        self.by_key[message.reserved_for] -= message.reserved
        if not self.by_key[message.reserved_for]:
            del self.by_key[message.reserved_for]
        message.reserved = 0
