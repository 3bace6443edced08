"""The proxy as a process, in front of a workload on a Unix socket: what reaches it, what comes back, who gets in."""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from modelwright.loops import LOOPS
from sessions import logins
from sessions.proxy import watching
from sessions.proxy.__main__ import main
from sessions.table import EntryState
from tests.gateway.processes import wait_for
from tests.sessions.proxying import ANN, BEN, COOKIE, KEY, Proxy, Upstream, entry, ticket

MIB = 1024 * 1024


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstream]:
    process = Upstream(tmp_path_factory.mktemp("upstream"))
    yield process
    process.stop(signal.SIGKILL)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    process = Proxy(tmp_path_factory.mktemp("proxy"), "--body-limit", str(8 * MIB), "--message-limit", str(2 * MIB))
    yield process
    assert process.stop() == 0, process.text()
    assert "Traceback" not in process.text(), process.text()


@pytest.fixture
def proxy(running: Proxy, upstream: Upstream) -> Proxy:
    running.publish(entry(upstream.socket))
    return running


@pytest.fixture
def cookie(proxy: Proxy) -> str:
    return proxy.enter()


def sent_on(answer: dict[str, object]) -> dict[str, str]:
    """The headers that the workload got, by their names in small letters."""
    return {name.lower(): value for name, value in answer["headers"]}  # type: ignore[attr-defined]


class TestEntering:
    def test_a_ticket_lets_in_once_and_the_cookie_is_for_this_host_alone(self, proxy: Proxy) -> None:
        text = ticket()
        answer = proxy.ask(f"/_enter?ticket={text}")
        assert answer.status == 200
        assert 'http-equiv="refresh" content="0;url=/lab"' in answer.text
        cookie = answer.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert "Path=/" in cookie
        assert "domain" not in cookie.lower()
        again = proxy.ask(f"/_enter?ticket={text}")
        assert again.status == 403
        assert "used before" in again.text
        assert "/sessions/0199/enter/" in again.text
        assert "Set-Cookie" not in again.headers

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            (lambda: ticket(lasts=-1), "too old"),
            (lambda: ticket(key="another"), "another address"),
            (lambda: ticket()[:-2] + "xx", "not signed"),
            (lambda: "", "not signed"),
            (lambda: "é", "not signed"),
            (lambda: "x" * 5000, "not signed"),
        ],
        ids=["stale", "of another session", "forged", "none", "strange", "long"],
    )
    def test_a_bad_ticket_is_refused_with_what_to_do(self, proxy: Proxy, text: Callable[[], str], why: str) -> None:
        answer = proxy.ask(f"/_enter?ticket={quote(text())}")
        assert answer.status == 403
        assert why in answer.text
        assert "Open it again from its page" in answer.text

    def test_a_ticket_of_somebody_who_may_not_enter_any_more_is_refused(self, proxy: Proxy) -> None:
        answer = proxy.ask(f"/_enter?ticket={ticket(user=BEN)}")
        assert answer.status == 403
        assert "may not be here" in answer.text

    def test_a_ticket_leads_nowhere_else(self, proxy: Proxy) -> None:
        answer = proxy.ask(f"/_enter?ticket={ticket(path='//evil.example/')}")
        assert "evil" not in answer.text

    def test_without_a_pass_the_page_says_where_to_come_from(self, proxy: Proxy) -> None:
        answer = proxy.ask("/lab")
        assert answer.status == 401
        assert "http://127.0.0.1:8000/sessions/0199/enter/" in answer.text
        assert "churn" not in answer.text
        problem = proxy.ask("/api/status", Accept="application/json")
        assert problem.headers.get_content_type() == "application/problem+json"
        assert problem.json()["remedy"]

    def test_a_pass_of_another_session_opens_nothing(self, proxy: Proxy, upstream: Upstream) -> None:
        proxy.publish(entry(upstream.socket), entry(upstream.socket, key="other"))
        other = proxy.enter("other")
        assert proxy.ask("/", key="other", cookie=other).status == 200
        assert proxy.ask("/", cookie=other).status == 401
        # Also where it stands before the right one, as a page of another host may set it.
        assert proxy.ask("/", cookie=f"{other}; {proxy.enter()}").status == 200

    def test_an_unknown_key_and_other_hosts_are_nothing(self, proxy: Proxy, cookie: str) -> None:
        assert proxy.ask("/", key="unknown", cookie=cookie).status == 404
        for host in ("localhost", f"{KEY}.example.org", f"a.{KEY}.localhost", f"{KEY}.localhost.evil.example"):
            assert proxy.ask("/", host=host, cookie=cookie).status == 404, host

    def test_what_starts_is_told_and_looked_for_again(self, proxy: Proxy) -> None:
        proxy.publish(entry("", state=EntryState.STARTING))
        answer = proxy.ask("/lab", cookie=proxy.enter())
        assert answer.status == 503
        assert "is starting" in answer.text
        assert 'http-equiv="refresh"' in answer.text

    def test_what_does_not_answer_is_told(self, proxy: Proxy, tmp_path: Path) -> None:
        proxy.publish(entry(tmp_path / "nobody"))
        answer = proxy.ask("/lab", cookie=proxy.enter())
        assert answer.status == 502
        assert "does not answer" in answer.text

    def test_without_redis_nobody_enters_and_who_is_in_stays(self, upstream: Upstream, tmp_path: Path) -> None:
        process = Proxy(tmp_path, redis_url="unix:///nowhere/redis.sock?db=0")
        try:
            process.publish(entry(upstream.socket))
            assert process.ask(f"/_enter?ticket={ticket()}").status == 503
        finally:
            process.stop()


class TestLeaving:
    def test_who_loses_the_right_is_out_with_the_next_table(
        self, proxy: Proxy, upstream: Upstream, cookie: str
    ) -> None:
        assert proxy.ask("/", cookie=cookie).status == 200
        proxy.publish(entry(upstream.socket, users=[BEN]))
        assert proxy.ask("/", cookie=cookie).status == 403

    def test_the_next_table_is_in_use_within_two_seconds(self) -> None:
        """What is promised, from the row to the proxy: two loops of the watcher, and how often the proxy looks."""
        seconds = {loop.name: loop.seconds for loop in LOOPS}
        assert max(seconds["session-table"], seconds["session-logins"]) + watching.POLL_SECONDS < 1

    def test_who_signs_out_is_out(self, proxy: Proxy, upstream: Upstream, cookie: str) -> None:
        assert proxy.ask("/", cookie=cookie).status == 200
        proxy.publish(entry(upstream.socket), live=[])
        wait_for(lambda: proxy.ask("/", cookie=cookie).status == 403)

    def test_a_login_is_believed_until_the_watcher_has_looked_since_it_entered(
        self, proxy: Proxy, upstream: Upstream
    ) -> None:
        proxy.publish(entry(upstream.socket), live=[])
        before = time.time()
        cookie = proxy.enter()
        assert proxy.ask("/", cookie=cookie).status == 200
        # It writes only now what it asked for before, as on a busy machine: nobody is out by that.
        logins.write(logins.logins_path(proxy.directory), [], asked=before)
        proxy.catch_up()
        assert proxy.ask("/", cookie=cookie).status == 200
        # It has looked since, and the login is none of those that count.
        logins.write(logins.logins_path(proxy.directory), [])
        proxy.catch_up()
        assert proxy.ask("/", cookie=cookie).status == 403

    def test_open_websockets_and_answers_of_who_is_out_are_broken_off(
        self, proxy: Proxy, upstream: Upstream, cookie: str
    ) -> None:
        async def go() -> None:
            async with proxy.websocket("/socket", cookie) as there, aiohttp.ClientSession() as session:
                headers = {"Host": proxy.host(), "Cookie": cookie}
                answer = await session.get(f"http://127.0.0.1:{proxy.port}/endless", headers=headers)
                await there.send_str("hello")
                assert await there.receive_str(timeout=60) == "hello"
                await asyncio.to_thread(proxy.publish, entry(upstream.socket, users=[BEN]))
                message = await there.receive(timeout=60)
                assert message.type is aiohttp.WSMsgType.CLOSE
                assert there.close_code == 4403
                with pytest.raises(aiohttp.ClientError):
                    await asyncio.wait_for(answer.read(), 60)

        asyncio.run(go())
        wait_for(lambda: proxy.state()["passages"] == 0, what="the end of all that went through")


class TestRequests:
    def test_what_a_page_sends_arrives_as_it_was(self, proxy: Proxy, cookie: str) -> None:
        body = bytes(range(256))
        answer = proxy.ask(
            "/a%2Fb//c;d/../e?x=%20&y=%zz&x=1",
            method="PUT",
            cookie=f"{cookie}; _xsrf=token; theme=dark",
            body=body,
            Origin=proxy.origin(),
            Sec_Fetch_Site="same-origin",
            Content_Type="application/x-own",
            Authorization="token abc",
        ).json()
        assert answer["method"] == "PUT"
        assert answer["path"] == "/a%2Fb//c;d/../e?x=%20&y=%zz&x=1"
        assert answer["body"].encode("latin-1") == body
        got = sent_on(answer)
        assert got["host"] == proxy.host()
        assert got["origin"] == proxy.origin()
        assert got["cookie"] == "_xsrf=token; theme=dark"
        assert got["content-type"] == "application/x-own"
        assert got["authorization"] == "token abc"
        assert got["x-forwarded-for"] == "127.0.0.1"
        assert got["x-forwarded-proto"] == "http"
        assert got["x-forwarded-host"] == proxy.host()
        assert got["x-modelwright-user"] == ANN

    def test_cookies_of_the_platform_and_headers_that_lie_do_not_reach_a_workload(
        self, proxy: Proxy, cookie: str
    ) -> None:
        answer = proxy.ask(
            "/",
            cookie=f"modelwright_login=secret; {cookie}; mine=1; MODELWRIGHT_LOGIN=secret",
            X_Forwarded_For="6.6.6.6",
            X_Forwarded_Host="evil.example",
            Forwarded="for=6.6.6.6",
            X_Real_IP="6.6.6.6",
            X_Modelwright_User="root",
            Keep_Alive="timeout=5",
            Connection="keep-alive, X-Hop",
            X_Hop="1",
            TE="trailers",
        ).json()
        got = sent_on(answer)
        assert got["cookie"] == "mine=1"
        assert got["x-forwarded-for"] == "127.0.0.1"
        assert got["x-modelwright-user"] == ANN
        assert "secret" not in str(answer)
        assert "6.6.6.6" not in str(answer)
        assert not {"forwarded", "x-real-ip", "x-hop", "keep-alive", "te"} & set(got)

    def test_underscores_in_names_do_not_pass_for_other_headers(self, proxy: Proxy, cookie: str) -> None:
        got = proxy.raw(
            f"GET / HTTP/1.1\r\nHost: {proxy.host()}\r\nCookie: {cookie}\r\nX_Forwarded_For: 6.6.6.6\r\n"
            f"X_Modelwright_User: root\r\nConnection: close\r\n\r\n".encode()
        )
        assert b"200 OK" in got
        assert b"6.6.6.6" not in got
        assert b"root" not in got

    def test_a_workload_sets_cookies_for_its_own_host_alone(self, proxy: Proxy, cookie: str) -> None:
        answer = proxy.ask("/cookies", cookie=cookie)
        assert answer.headers.get_all("Set-Cookie") == ["plain=1; Path=/", "wide=1; Path=/; HttpOnly"]
        assert answer.headers["X-Own"] == "kept"
        assert not {"Clear-Site-Data", "Alt-Svc", "X-Own-Hop"} & set(answer.headers)
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert answer.headers["Content-Security-Policy"] == "frame-ancestors 'self'"

    def test_pieces_come_as_they_are_made(self, proxy: Proxy, cookie: str) -> None:
        """The workload makes each piece only when it is told to, which it is when the one before has come."""

        async def go() -> list[bytes]:
            pieces = []
            async with aiohttp.ClientSession() as session:
                headers, url = {"Host": proxy.host(), "Cookie": cookie}, f"http://127.0.0.1:{proxy.port}"
                async with session.get(f"{url}/pieces", headers=headers) as answer, asyncio.timeout(60):
                    async for piece in answer.content.iter_any():
                        pieces.append(piece)
                        async with session.get(f"{url}/next", headers=headers) as told:
                            assert told.status == 200
            return pieces

        assert asyncio.run(go()) == [b"0\n", b"1\n", b"2\n"]

    def test_a_reader_that_is_slow_holds_up_the_workload(self, proxy: Proxy, cookie: str) -> None:
        async def go() -> None:
            before = proxy.ask("/count", cookie=cookie).json()
            async with aiohttp.ClientSession() as session:
                headers = {"Host": proxy.host(), "Cookie": cookie}
                answer = await session.get(f"http://127.0.0.1:{proxy.port}/endless", headers=headers)
                await asyncio.sleep(1.5)
                sent = proxy.ask("/count", cookie=cookie).json()["sent"] - before["sent"]
                assert sent < 40 * MIB, "buffers of sockets, and not much more"
                answer.close()
            wait_for(
                lambda: proxy.ask("/count", cookie=cookie).json()["broken"] > before["broken"],
                what="the workload being told that the reader is gone",
            )

        asyncio.run(go())

    def test_a_body_beyond_the_limit_is_refused_whether_its_size_is_told_or_not(
        self, proxy: Proxy, cookie: str
    ) -> None:
        told = proxy.ask("/swallow", method="POST", cookie=cookie, body=bytes(9 * MIB), Origin=proxy.origin())
        assert told.status == 413

        async def go() -> int:
            async def pieces() -> object:
                for _ in range(20):
                    yield bytes(MIB)

            async with aiohttp.ClientSession() as session:
                headers = {"Host": proxy.host(), "Cookie": cookie, "Origin": proxy.origin()}
                url = f"http://127.0.0.1:{proxy.port}/echo"
                async with session.post(url, data=pieces(), headers=headers) as answer:
                    return answer.status

        assert asyncio.run(go()) == 413

    def test_an_answer_that_is_not_whole_does_not_look_whole(self, proxy: Proxy, cookie: str) -> None:
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            proxy.ask("/broken", cookie=cookie)

    def test_an_answer_with_a_huge_header_is_no_answer(self, proxy: Proxy, cookie: str) -> None:
        assert proxy.ask("/huge", cookie=cookie).status == 502

    def test_a_request_with_huge_or_very_many_headers_is_refused(self, proxy: Proxy, cookie: str) -> None:
        head = f"GET / HTTP/1.1\r\nHost: {proxy.host()}\r\nCookie: {cookie}\r\n"
        for more in ("X: " + "y" * 100_000 + "\r\n", "".join(f"X-{n}: 1\r\n" for n in range(1000))):
            got = proxy.raw(f"{head}{more}\r\n".encode())
            assert got.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400")), got[:100]
            assert b"200 OK" not in got

    def test_head_and_answers_without_a_body_work(self, proxy: Proxy, cookie: str) -> None:
        answer = proxy.ask("/cookies", method="HEAD", cookie=cookie)
        assert answer.status == 200
        assert answer.body == b""

    def test_a_client_that_waits_to_be_told_to_go_on_is_told(self, proxy: Proxy, cookie: str) -> None:
        got = proxy.raw(
            f"PUT /x HTTP/1.1\r\nHost: {proxy.host()}\r\nCookie: {cookie}\r\nOrigin: {proxy.origin()}\r\n"
            f"Content-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n".encode()
        )
        assert got.startswith(b"HTTP/1.1 100 Continue")


class TestSmuggling:
    @pytest.mark.parametrize(
        "framing",
        [
            "Content-Length: 6\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nContent-Length: 6",
            "Content-Length: 6\r\nContent-Length: 7",
            "Content-Length: +6",
            "Content-Length: 6, 6",
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding: chunked, identity",
            "Transfer-Encoding : chunked",
            "Transfer-Encoding:\x0bchunked",
        ],
    )
    def test_a_body_that_is_framed_in_two_ways_is_no_second_request(
        self, proxy: Proxy, cookie: str, framing: str
    ) -> None:
        head = f"POST /first HTTP/1.1\r\nHost: {proxy.host()}\r\nCookie: {cookie}\r\nOrigin: {proxy.origin()}\r\n"
        hidden = f"GET /hidden HTTP/1.1\r\nHost: {proxy.host()}\r\nCookie: {cookie}\r\nX: "
        got = proxy.raw(f"{head}{framing}\r\n\r\n0\r\n\r\n{hidden}".encode())
        assert b'"path": "/hidden"' not in got
        assert got.count(b"HTTP/1.") <= 1

    def test_two_hosts_or_an_address_instead_of_a_path_are_refused(self, proxy: Proxy, cookie: str) -> None:
        for request in (
            f"GET / HTTP/1.1\r\nHost: {proxy.host()}\r\nHost: other.localhost\r\nCookie: {cookie}\r\n",
            f"GET http://other.localhost/ HTTP/1.1\r\nHost: {proxy.host()}\r\nCookie: {cookie}\r\n",
            f"GET / HTTP/1.1\r\nCookie: {cookie}\r\n",
            f"CONNECT other.localhost:80 HTTP/1.1\r\nHost: {proxy.host()}\r\nCookie: {cookie}\r\n",
        ):
            got = proxy.raw(f"{request}Connection: close\r\n\r\n".encode())
            assert got.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400")), (request, got[:200])

    def test_an_answer_that_is_framed_in_two_ways_hides_nothing(
        self, proxy: Proxy, upstream: Upstream, cookie: str
    ) -> None:
        proxy.publish(entry(f"{upstream.socket}-raw"))
        answer = proxy.ask("/", cookie=cookie)
        assert b"hidden" not in answer.body


class TestOrigins:
    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "http://evil.example"},
            {"Origin": "http://other.localhost:1"},
            {"Origin": "null"},
            {"Origin": "null", "Sec_Fetch_Site": "cross-site"},
            {"Sec_Fetch_Site": "cross-site"},
            {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"},
        ],
        ids=str,
    )
    def test_what_another_origin_sends_is_refused(self, proxy: Proxy, cookie: str, headers: dict[str, Any]) -> None:
        for method in ("GET", "POST", "OPTIONS"):
            answer = proxy.ask("/", method=method, cookie=cookie, **headers)
            assert answer.status == 403, (method, headers)
            assert "not from a page of this address" in answer.text

    def test_what_changes_something_must_say_where_it_comes_from(self, proxy: Proxy, cookie: str) -> None:
        assert proxy.ask("/", method="POST", cookie=cookie, body=b"x").status == 403
        assert proxy.ask("/", method="POST", cookie=cookie, body=b"x", Sec_Fetch_Site="same-origin").status == 200
        own_form = {"Origin": "null", "Sec_Fetch_Site": "same-origin"}
        assert proxy.ask("/", method="POST", cookie=cookie, body=b"x", **own_form).status == 200

    def test_a_websocket_of_another_origin_or_none_is_refused(self, proxy: Proxy, cookie: str) -> None:
        async def status(origin: str) -> int:
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                async with proxy.websocket("/socket", cookie, origin=origin):
                    pass
            return caught.value.status

        assert asyncio.run(status("http://evil.example")) == 403
        assert asyncio.run(status(proxy.origin("other"))) == 403
        without = proxy.raw(
            f"GET /socket HTTP/1.1\r\nHost: {proxy.host()}\r\nCookie: {cookie}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        assert without.startswith(b"HTTP/1.1 403")

    def test_a_websocket_without_a_pass_or_of_another_member_is_refused(self, proxy: Proxy, upstream: Upstream) -> None:
        async def status(cookie: str) -> int:
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                async with proxy.websocket("/socket", cookie):
                    pass
            return caught.value.status

        assert asyncio.run(status("x=1")) == 401
        assert asyncio.run(status(f"{COOKIE}=forged")) == 401
        proxy.publish(entry(upstream.socket, users=[ANN, BEN]))
        ben = proxy.enter(user=BEN)
        proxy.publish(entry(upstream.socket, users=[ANN]))
        wait_for(lambda: proxy.ask("/", cookie=ben).status == 403)
        assert asyncio.run(status(ben)) == 403


class TestPublic:
    def test_what_is_public_needs_no_pass_and_links_may_lead_there(self, proxy: Proxy, upstream: Upstream) -> None:
        proxy.publish(entry(upstream.socket, kind="application", is_public=True))
        link: dict[str, Any] = {
            "Sec_Fetch_Site": "cross-site",
            "Sec_Fetch_Mode": "navigate",
            "Sec_Fetch_Dest": "document",
        }
        answer = proxy.ask("/", **link)
        assert answer.status == 200
        assert "x-modelwright-user" not in sent_on(answer.json())
        assert proxy.ask("/", method="POST", body=b"x").status == 200
        assert proxy.ask("/", method="POST", body=b"x", Origin="http://evil.example").status == 403
        framed = {**link, "Sec_Fetch_Dest": "iframe"}
        assert proxy.ask("/", **framed).status == 403

    def test_who_came_in_is_known_there_too(self, proxy: Proxy, upstream: Upstream) -> None:
        proxy.publish(entry(upstream.socket, kind="application", is_public=True))
        answer = proxy.ask("/", cookie=proxy.enter())
        assert sent_on(answer.json())["x-modelwright-user"] == ANN


class TestWebSockets:
    def test_text_bytes_and_the_protocol_go_both_ways(self, proxy: Proxy, cookie: str) -> None:
        async def go() -> None:
            wanted = ("other", "v1.kernel.websocket.jupyter.org")
            async with proxy.websocket("/socket", cookie, protocols=wanted, max_msg_size=0) as there:
                assert there.protocol == "v1.kernel.websocket.jupyter.org"
                for number in range(50):
                    await there.send_str(f"message {number}")
                    assert await there.receive_str(timeout=60) == f"message {number}"
                large = os.urandom(MIB)
                await there.send_bytes(large)
                assert await there.receive_bytes(timeout=30) == large

        asyncio.run(go())

    def test_the_close_of_a_workload_is_told_with_its_code(self, proxy: Proxy, cookie: str) -> None:
        async def close_code(word: str) -> int | None:
            async with proxy.websocket("/socket", cookie) as there:
                await there.send_str(word)
                await there.receive(timeout=60)
                return there.close_code

        assert asyncio.run(close_code("close")) == 4321
        assert asyncio.run(close_code("die")) in (1001, 1006, 1011)
        wait_for(lambda: proxy.state()["passages"] == 0)

    def test_a_message_beyond_the_limit_closes_and_the_proxy_goes_on(self, proxy: Proxy, cookie: str) -> None:
        async def go() -> int | None:
            async with proxy.websocket("/socket", cookie) as there:
                try:
                    await there.send_bytes(bytes(3 * MIB))
                    await there.receive(timeout=60)
                except ConnectionError:
                    return 1006  # It was closed before all of it was sent, which is an end without a word.
                return there.close_code

        assert asyncio.run(go()) in (1009, 1011, 1006)
        assert proxy.ask("/", cookie=cookie).status == 200

    def test_a_workload_that_wants_none_says_so(self, proxy: Proxy, cookie: str) -> None:
        async def go() -> int:
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                async with proxy.websocket("/no-socket", cookie):
                    pass
            return caught.value.status

        assert asyncio.run(go()) == 403


class TestDying:
    def test_a_proxy_that_was_killed_comes_back_and_the_pass_is_good_still(
        self, upstream: Upstream, tmp_path: Path
    ) -> None:
        first = Proxy(tmp_path)
        first.publish(entry(upstream.socket))
        cookie = first.enter()
        first.stop(signal.SIGKILL)
        again = Proxy(tmp_path, port=first.port)
        try:
            assert again.ask("/", cookie=cookie).status == 200
        finally:
            assert again.stop() == 0

    def test_a_proxy_that_is_stopped_tells_browsers_to_come_again(self, upstream: Upstream, tmp_path: Path) -> None:
        process = Proxy(tmp_path)
        process.publish(entry(upstream.socket))
        cookie = process.enter()

        async def go() -> int | None:
            async with process.websocket("/socket", cookie) as there:
                process.popen.send_signal(signal.SIGTERM)
                await there.receive(timeout=60)
                return there.close_code

        assert asyncio.run(go()) == 1001
        assert process.stop() == 0

    def test_a_broken_table_changes_nothing(self, proxy: Proxy, cookie: str) -> None:
        (proxy.directory / "sessions" / "table.json").write_bytes(b"{")
        wait_for(lambda: proxy.state()["status"] == "degraded")
        assert proxy.ask("/", cookie=cookie).status == 200

    def test_too_many_at_once_are_refused(self, upstream: Upstream, tmp_path: Path) -> None:
        process = Proxy(tmp_path, "--at-once", "1")
        try:
            process.publish(entry(upstream.socket))
            cookie = process.enter()

            async def go() -> None:
                async with process.websocket("/socket", cookie):
                    answer = await asyncio.to_thread(process.ask, "/", cookie=cookie)
                    assert answer.status == 503
                    assert "Too much at once" in answer.text

            asyncio.run(go())
        finally:
            process.stop()


def test_a_proxy_says_what_it_lacks(tmp_path: Path) -> None:
    assert main(["--listen", "127.0.0.1:0", "--key-file", str(tmp_path / "missing")]) == 5
