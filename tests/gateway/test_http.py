"""HTTP as clients speak it and as attackers do, against a real gateway without replicas."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.gateway.processes import KEY, RECORD, Gateway, endpoint, target, wait_for

PATH = "/acme/wine/predict"
GOOD = json.dumps({"records": [RECORD]}).encode()


@pytest.fixture(scope="module")
def lonely(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with an endpoint whose replica never existed."""
    directory: Path = tmp_path_factory.mktemp("http")
    gateway = Gateway(directory)
    gateway.publish({"acme/wine": endpoint(1, target("m", 1, directory / "none.sock"))})
    wait_for(lambda: gateway.ready()["endpoints_without_replica"] == 1)
    yield gateway
    assert gateway.stop() == 0
    assert "Traceback" not in gateway.text()


def talk(gateway: Gateway, data: bytes, *, shut: bool = True, seconds: float = 30) -> bytes:
    """Send bytes, close our half, return everything that comes back."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=seconds) as connection:
        connection.sendall(data)
        if shut:
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while part := connection.recv(65536):
                answer += part
        except ConnectionResetError:
            pass
        return answer


def statuses(answer: bytes) -> list[int]:
    return [int(part[:3]) for part in answer.split(b"HTTP/1.1 ")[1:]]


def post(body: bytes, *headers: str, path: str = PATH, key: str = KEY) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {key}", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def assert_problem(response: requests.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert set(problem) == {"type", "title", "status", "detail", "remedy", "errors"}
    assert problem["status"] == status
    assert problem["detail"]
    assert problem["remedy"]
    return problem


def test_a_gateway_without_routes_is_alive_and_ready(gateway: Gateway) -> None:
    assert requests.get(gateway.url + "/health/live", timeout=30).json() == {"status": "live"}
    assert gateway.ready()["revision"] == 0
    assert_problem(gateway.predict(RECORD), 404)


def test_an_unknown_endpoint_is_404(lonely: Gateway) -> None:
    assert "/<workspace>/<endpoint>/predict" in assert_problem(lonely.predict(RECORD, name="acme/beer"), 404)["remedy"]


def test_a_missing_wrong_or_malformed_key_is_401(lonely: Gateway) -> None:
    for value in ("", "Bearer", "Bearer mwk_other", f"Basic {KEY}", KEY):
        response = requests.post(
            lonely.url + PATH, json={"records": [RECORD]}, headers={"Authorization": value}, timeout=30
        )
        assert_problem(response, 401)
        assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_revoked_key_is_401_as_soon_as_the_table_says_so(lonely: Gateway, tmp_path: Path) -> None:
    routes = endpoint(1, target("m", 1, tmp_path / "none.sock"), keys=(KEY, "mwk_second"))
    lonely.publish({"acme/wine": routes})
    assert lonely.predict(RECORD, key="mwk_second").status_code == 503
    lonely.publish({"acme/wine": endpoint(1, target("m", 1, tmp_path / "none.sock"))})
    assert_problem(lonely.predict(RECORD, key="mwk_second"), 401)


def test_no_replica_is_503_with_retry_after(lonely: Gateway) -> None:
    wait_for(lambda: lonely.ready()["endpoints_without_replica"] == 1)
    response = lonely.predict(RECORD)
    assert_problem(response, 503)
    assert int(response.headers["Retry-After"]) >= 1


@pytest.mark.parametrize("body", [b"", b"{", b"nonsense", b'{"records": [{"alcohol": NaN}]}', b"\xff\xfe", b"[" * 5000])
def test_what_is_no_json_is_400(lonely: Gateway, body: bytes) -> None:
    assert "JSON" in assert_problem(lonely.predict(json=None, data=body), 400)["remedy"]


@pytest.mark.parametrize("body", [[], None, {}, {"records": {}}, {"records": []}, {"records": [RECORD], "more": 1}])
def test_json_without_records_is_422(lonely: Gateway, body: Any) -> None:
    response = lonely.predict(json=None, data=json.dumps(body))
    assert "records" in assert_problem(response, 422)["remedy"]


def test_records_that_do_not_fit_are_422_and_say_where(lonely: Gateway) -> None:
    problem = assert_problem(lonely.predict(RECORD, {**RECORD, "proline": "many", "colour": 1}), 422)
    assert {error["field"] for error in problem["errors"]} == {"records[1].proline", "records[1].colour"}
    assert all(error["expected"] and error["got"] and error["remedy"] for error in problem["errors"])


def test_a_body_over_the_limit_is_413_whether_announced_or_not(lonely: Gateway) -> None:
    big = b"x" * 6_000_000
    assert_problem(lonely.predict(json=None, data=big), 413)
    assert_problem(lonely.predict(json=None, data=iter([big[:3_000_000], big[3_000_000:]])), 413)
    assert lonely.ready()["revision"] > 0


def test_other_methods_are_405_and_say_which_are_allowed(lonely: Gateway) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        response = requests.request(method, lonely.url + PATH, timeout=30)
        assert_problem(response, 405)
        assert response.headers["Allow"] == "POST"
    assert_problem(requests.post(lonely.url + "/health/live", timeout=30), 405)
    head = requests.head(lonely.url + "/health/live", timeout=30)
    assert (head.status_code, head.content, head.headers["Content-Length"]) == (200, b"", "17")


def test_a_compressed_body_is_415(lonely: Gateway) -> None:
    assert_problem(lonely.predict(json=None, data=GOOD, headers={"Content-Encoding": "gzip"}), 415)


def test_pipelined_requests_are_answered_in_their_order(lonely: Gateway) -> None:
    data = post(b"{") + post(GOOD, path="/a/b/predict") + post(GOOD, key="wrong") + post(b"{}") + post(b"[")
    assert statuses(talk(lonely, data)) == [400, 404, 401, 422, 400]


def test_many_pipelined_requests_in_one_packet_are_all_answered(lonely: Gateway) -> None:
    assert statuses(talk(lonely, post(b"{") * 300)) == [400] * 300


def test_a_request_may_come_byte_by_byte(lonely: Gateway) -> None:
    with socket.create_connection(("127.0.0.1", lonely.port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in post(b"{}"):
            connection.sendall(bytes([byte]))
        assert statuses(connection.recv(65536)) == [422]


def test_chunked_bodies_are_read(lonely: Gateway) -> None:
    head = post(b"", "Transfer-Encoding: chunked").replace(b"Content-Length: 0\r\n", b"")
    assert statuses(talk(lonely, head + b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n" + post(b"{"))) == [422, 400]


def test_a_length_and_chunks_together_are_refused(lonely: Gateway) -> None:
    assert statuses(talk(lonely, post(b"0\r\n\r\n", "Transfer-Encoding: chunked"))) == [400]


def test_a_client_that_asks_before_it_sends_is_told_to_go_on_or_not(lonely: Gateway) -> None:
    with socket.create_connection(("127.0.0.1", lonely.port), timeout=30) as connection:
        head, body = post(b"{}", "Expect: 100-continue").split(b"\r\n\r\n")
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert statuses(connection.recv(65536)) == [422]
    refused = post(b"{}", "Expect: 100-continue", key="wrong").split(b"\r\n\r\n")[0] + b"\r\n\r\n"
    assert statuses(talk(lonely, refused)) == [401]


def test_http_1_0_and_connection_close_end_the_connection(lonely: Gateway) -> None:
    for data in (b"GET /health/live HTTP/1.0\r\n\r\n", b"GET /health/live HTTP/1.1\r\nConnection: close\r\n\r\n"):
        answer = talk(lonely, data, shut=False)
        assert statuses(answer) == [200]
        assert b"Connection: close" in answer


def test_an_upgrade_is_answered_and_ends_the_connection(lonely: Gateway) -> None:
    data = b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nmore"
    assert statuses(talk(lonely, data, shut=False)) == [200]


@pytest.mark.parametrize("data", [b"X: " + b"a" * 30_000, b"a: b\r\n" * 5_000, b"X: " + b"a" * 600_000])
def test_headers_over_the_limit_are_431(lonely: Gateway, data: bytes) -> None:
    assert statuses(talk(lonely, b"GET /health/live HTTP/1.1\r\n" + data + b"\r\n\r\n", shut=False)) == [431]


def test_a_head_that_never_ends_is_refused_before_it_fills_memory(lonely: Gateway) -> None:
    with socket.create_connection(("127.0.0.1", lonely.port), timeout=30) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nX: ")

        def send_on() -> None:
            for _ in range(1000):
                connection.sendall(b"a" * 100_000)
                time.sleep(0.001)

        with pytest.raises(OSError, match=r"reset|pipe|Broken"):
            send_on()


@pytest.mark.slow
def test_a_client_that_sends_too_slowly_is_told_and_cut_off(lonely: Gateway) -> None:
    answer = talk(lonely, b"POST /acme/wine/predict HTTP/1.1\r\nHost: x", shut=False, seconds=60)
    assert statuses(answer) == [408]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(
            [
                *(
                    b"GET ",
                    b"POST ",
                    b"/",
                    b"/acme/wine/predict",
                    b"/health/ready",
                    b" HTTP/1.1",
                    b" HTTP/1.0",
                    b"\r\n",
                ),
                *(
                    b"Content-Length: ",
                    b"5",
                    b"-1",
                    b"99999999999999999999",
                    b"Transfer-Encoding: chunked",
                    b"0",
                    b"{}",
                ),
                *(b"Host: x\r\n", b"Expect: 100-continue\r\n", b"Authorization: Bearer mwk_test\r\n", b"\r\n\r\n"),
                *(b"Connection: upgrade\r\nUpgrade: h2c\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"ffffffffffffffff"),
            ]
        )
        | st.binary(max_size=6),
        max_size=20,
    ).map(b"".join)
)
def test_any_bytes_are_answered_without_a_500_and_the_gateway_lives(lonely: Gateway, data: bytes) -> None:
    assert all(status != 500 for status in statuses(talk(lonely, data)))
    assert lonely.popen.poll() is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(RECORD),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["records", *RECORD]) | st.text(max_size=4), inner, max_size=6)
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=40)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.fixed_dictionaries({"records": st.lists(st.fixed_dictionaries(dict.fromkeys(RECORD, JSON)), max_size=3)}).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_any_body_is_answered_in_words_and_never_by_500(lonely: Gateway, body: bytes) -> None:
    (status,) = statuses(talk(lonely, post(body)))
    assert status in (400, 422, 503)


def test_metrics_count_answers_by_endpoint_and_status(start_gateway: Callable[..., Gateway]) -> None:
    gateway = start_gateway()
    gateway.publish({"acme/wine": endpoint(1, target("m", 1, gateway.directory / "none.sock"))})
    gateway.predict(RECORD, key="wrong")
    gateway.predict(RECORD, name="no/where")
    gateway.predict({"alcohol": 1})
    text = requests.get(gateway.url + "/metrics", timeout=30).text
    for line in ('endpoint="acme/wine",status="401"} 1', 'endpoint="",status="404"} 1', 'status="422"} 1'):
        assert line in text
    assert "modelwright_gateway_spool_bytes 0" in text


def test_two_gateways_cannot_have_one_address(gateway: Gateway, start_gateway: Callable[..., Gateway]) -> None:
    with pytest.raises(AssertionError, match="ended with 4"):
        start_gateway("--listen", f"127.0.0.1:{gateway.port}")
