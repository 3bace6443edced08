"""Who may enter, and who is in: tickets are taken once, passes are believed as long as table and logins say so."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from aiohttp import web
from redis.asyncio import Redis
from redis.exceptions import RedisError

from sessions.logins import GRACE_SECONDS
from sessions.proxy.headers import cookie_name, values_of
from sessions.proxy.pages import Notice, answer
from sessions.proxy.site import Site
from sessions.proxy.watching import Watcher
from sessions.table import Entry
from sessions.tickets import PASS_SECONDS, TICKET_SECONDS, Pass, Ticket, Unsigned, read_pass, read_ticket, sign_pass

logger = logging.getLogger(__name__)

PREFIX = "modelwright:sessions:ticket:"
# Longer than any ticket is good, also where clocks differ.
REMEMBERED_SECONDS = 10 * TICKET_SECONDS


@dataclass(frozen=True)
class Admitted:
    """Who asks for what; `given` is None for somebody whom nobody knows, in what is public."""

    entry: Entry
    given: Pass | None

    @property
    def user(self) -> str:
        return self.given.user if self.given else ""


class Refused(Exception):
    """Nobody gets in; the notice says why."""

    def __init__(self, notice: Notice) -> None:
        super().__init__(notice.what)
        self.notice = notice


class Door:
    """Decides who gets in."""

    def __init__(self, site: Site, secret: str, redis: Redis, watcher: Watcher, web_url: str) -> None:
        self._site, self._secret, self._redis, self._watcher = site, secret, redis, watcher
        self._web_url = web_url.rstrip("/")

    def entry(self, key: str) -> Entry:
        """What is behind the key. Raises Refused."""
        entry = self._watcher.entries.get(key)
        if entry is None:
            raise Refused(
                Notice(
                    404,
                    "Nothing is here",
                    "At this address nothing runs: it has ended, or there never was anything.",
                    "Look for it on the pages of its project, and start it again there.",
                    (f"{self._web_url}/", "Go to the platform"),
                )
            )
        return entry

    def admit(self, request: web.BaseRequest, entry: Entry) -> Admitted:
        """Who asks, by the pass among the cookies. Raises Refused."""
        now = time.time()
        refused: Notice | None = None
        for text in values_of(request.headers, cookie_name(self._site)):
            try:
                given = read_pass(self._secret, text, now=now)
            except Unsigned:
                continue
            if given.key != entry.key:
                continue
            if self.may_stay(entry, given, now):
                return Admitted(entry, given)
            refused = self._out(entry)
        if entry.is_public:
            return Admitted(entry, None)
        raise Refused(refused or self._unknown(entry))

    def may_stay(self, entry: Entry | None, given: Pass | None, now: float) -> bool:
        """Whether who came in by that pass may be there still; None for what is not there any more."""
        if entry is None:
            return False
        if given is None:
            return entry.is_public
        is_new = self._watcher.asked < given.issued and now - given.issued < GRACE_SECONDS
        is_known = is_new or given.login in self._watcher.logins
        return is_known and (given.user in entry.users or entry.is_public)

    async def enter(self, entry: Entry, text: str) -> web.Response:
        """Take a ticket: the answer sets the cookie and goes on. Raises Refused."""
        now = time.time()
        try:
            ticket = read_ticket(self._secret, text, now=now)
        except Unsigned as error:
            raise Refused(self._stale(entry, str(error))) from error
        if ticket.key != entry.key:
            raise Refused(self._stale(entry, "it is for another address"))
        if ticket.user not in entry.users:
            raise Refused(self._out(entry))
        await self._take_once(entry, ticket)
        given = Pass(entry.key, ticket.user, ticket.login, now)
        path = ticket.path if ticket.path.startswith("/") and not ticket.path.startswith("//") else "/"
        # A page that goes on by itself, as a redirect would not bring the cookie: another site began the journey.
        notice = Notice(200, f"Opening {entry.title}", "It opens now.", "", (path, "Open it"), go_on=path)
        response = answer(notice, wants_page=True)
        response.set_cookie(
            cookie_name(self._site),
            sign_pass(self._secret, given),
            httponly=True,
            samesite="Strict",
            secure=self._site.is_secure,
            path="/",
            max_age=PASS_SECONDS,
        )
        return response

    async def _take_once(self, entry: Entry, ticket: Ticket) -> None:
        try:
            is_first = await self._redis.set(f"{PREFIX}{ticket.number}", "1", nx=True, ex=REMEMBERED_SECONDS)
        except (RedisError, OSError) as error:
            logger.error("a ticket cannot be taken: %s", error)
            raise Refused(
                Notice(
                    503,
                    "It cannot be opened now",
                    "The platform cannot check now whether this link was used before.",
                    "Open it again in a moment.",
                    self.link(entry),
                )
            ) from error
        if not is_first:
            raise Refused(self._stale(entry, "it was used before"))

    def link(self, entry: Entry) -> tuple[str, str]:
        """Where a person opens the entry anew, and the words for it."""
        return f"{self._web_url}/{entry.kind}s/{entry.subject}/enter/", "Open it from the platform"

    def _stale(self, entry: Entry, why: str) -> Notice:
        return Notice(
            403,
            "This link is no longer good",
            f"A link to enter works once, for {TICKET_SECONDS} seconds, and {why}.",
            "Open it again from its page.",
            self.link(entry),
        )

    def _unknown(self, entry: Entry) -> Notice:
        return Notice(
            401,
            "Open it from the platform",
            "This address shows something only to people who came in from the platform in this browser.",
            "Sign in there and open it from its page.",
            self.link(entry),
        )

    def _out(self, entry: Entry) -> Notice:
        return Notice(
            403,
            "You may not be here any longer",
            "You have signed out, or your role does not let you use this any more.",
            "Sign in and open it again from its page; if that does not help, ask an administrator of the project.",
            self.link(entry),
        )
