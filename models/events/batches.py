"""What is to be posted to a sink next."""

from __future__ import annotations

from dataclasses import dataclass, field

from models.events.cloudevents import BATCH_TYPE, SINGLE_TYPE, Event, events_of, key_of
from models.events.letters import open_letters
from models.events.models import DeadLetter, Sink
from models.events.reading import EVERYTHING, Filters, Piece, Thing, read
from models.events.rows import load

MOST_BYTES = 1024 * 1024


@dataclass(slots=True)
class Packet:
    """Events for one POST, in order. `held` wait behind a letter of their key instead.

    `end` and `part` are the sink's cursor once the packet is settled. `letters` are those that the events are made of,
    `gone` those whose row is no more.
    """

    events: list[Event] = field(default_factory=list)
    held: list[tuple[Event, str]] = field(default_factory=list)
    end: int = 0
    part: int = 0
    letters: list[DeadLetter] = field(default_factory=list)
    gone: list[DeadLetter] = field(default_factory=list)

    def body(self, mode: str) -> tuple[bytes, str]:
        """The body and its content type."""
        if mode == Sink.Mode.SINGLE:
            return self.events[0].body, SINGLE_TYPE
        return b"[" + b",".join(event.body for event in self.events) + b"]", BATCH_TYPE

    def message_id(self, sink: Sink) -> str:
        """The same whenever the same events are posted to the sink."""
        return f"{sink.pk.hex}.{self.events[0].id}.{len(self.events)}"


def filters_of(sink: Sink) -> Filters:
    """Which things the sink is for."""
    return Filters(sink.project_id, sink.endpoint_ids, frozenset(sink.families), sink.workspace_id)


def limit_of(sink: Sink) -> int:
    """How many events a POST may have."""
    return 1 if sink.mode == Sink.Mode.SINGLE else sink.batch_limit


def next_packet(sink: Sink) -> Packet:
    """What comes after the sink's cursor."""
    limit, families = limit_of(sink), frozenset(sink.families)
    things, end, rows = load(read(sink.position, limit, filters_of(sink)))
    behind = _open_keys(sink, {key_of(thing, rows) for thing in things})
    packet, size = Packet(end=end), 0
    for thing in things:
        done = sink.part if thing.position == sink.position + 1 else 0
        events = [event for event in events_of(thing, rows, families) if event.part >= done]
        for event in events:
            if event.key in behind:
                packet.held.append((event, behind[event.key]))
                continue
            size += len(event.body)
            if len(packet.events) == limit or (packet.events and size > MOST_BYTES):
                packet.end, packet.part = thing.position - 1, event.part
                return packet
            packet.events.append(event)
    return packet


def next_letters(sink: Sink) -> Packet:
    """What is to be sent again."""
    letters = list(open_letters(sink).filter(state="due")[: limit_of(sink)])
    packet, size = Packet(), 0
    things, _, rows = load(Piece([_thing(sink, letter) for letter in letters], 0))
    for letter, thing in zip(letters, things, strict=False):
        # Also what the sink, changed meanwhile, asks for no more.
        event = next((one for one in events_of(thing, rows, EVERYTHING) if one.part == letter.part), None)
        if event is None:
            packet.gone.append(letter)
            continue
        size += len(event.body)
        if packet.events and size > MOST_BYTES:
            break
        packet.events.append(event)
        packet.letters.append(letter)
    return packet


def _open_keys(sink: Sink, keys: set[str]) -> dict[str, str]:
    """Those of the keys that have letters that are not settled, and the event behind which others of the key wait."""
    found = open_letters(sink).filter(key__in=keys).order_by("key", "position", "part").distinct("key")
    return dict(found.values_list("key", "event_id"))


def _thing(sink: Sink, letter: DeadLetter) -> Thing:
    at = letter.created_at
    # Of which project it is, its row says.
    return Thing(letter.position, at, letter.kind, "", sink.project_id, letter.endpoint_id, letter.thing_id)
