"""The churn prototype's application: contributions are right and add up, and whatever goes wrong is said in words."""

from __future__ import annotations

import importlib
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from projects.prototypes.loading import CATALOGUE
from tests.gateway.processes import KEY, Gateway, endpoint, target

Record = dict[str, Any]
Model = Callable[[Record], float]
ROWS: list[Record] = [{"a": i % 7, "b": (i * i) % 5, "c": "xyz"[i % 3]} for i in range(40)]
ANN: Record = {"a": 9, "b": 4, "c": "z"}
BEN: Record = {"a": 9, "b": 0, "c": "z"}
SIGNATURE = {
    "inputs": [
        {"name": "tenure", "type": "long", "required": True},
        {"name": "contract", "type": "string", "required": True},
        {"name": "partner", "type": "long", "required": True},
        {"name": "total_charges", "type": "double", "required": False},
    ],
    "outputs": [],
}
FORM = {"tenure": "12", "contract": "Two year", "partner": "Yes", "total_charges": ""}


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """A module of the prototype, as its own scripts import it."""
    monkeypatch.syspath_prepend(str(CATALOGUE / "churn"))
    return importlib.import_module


@pytest.fixture
def explaining(part: Callable[[str], ModuleType]) -> ModuleType:
    return part("prediction_view.explaining")


def steep(record: Record) -> float:
    """A model in which columns work together."""
    a, b = float(record["a"]), float(record["b"])
    return 0.1 * a * b + (0.4 * b if record["c"] == "z" else 0.05 * a)


def answering(model: Model, asked: list[list[Record]]) -> Callable[[list[Record]], list[float]]:
    """An endpoint with that model that notes each request."""

    def ask(records: list[Record]) -> list[float]:
        asked.append(records)
        return [model(record) for record in records]

    return ask


def by_definition(model: Model, customer: Record, rows: Sequence[Record]) -> dict[str, float]:
    """Shapley values over all orders and all rows."""
    orders = list(itertools.permutations(customer))
    found = dict.fromkeys(customer, 0.0)
    for order, row in itertools.product(orders, rows):
        now = dict(row)
        for column in order:
            before = model(now)
            now[column] = customer[column]
            found[column] += (model(now) - before) / len(orders) / len(rows)
    return found


class TestContributions:
    def test_they_add_up_to_the_answer_minus_the_base_by_one_request(self, explaining: ModuleType) -> None:
        asked: list[list[Record]] = []
        found = explaining.explain([ANN, BEN], ROWS, answering(steep, asked), draws=25)
        assert len(asked) == 1
        for customer, one in zip((ANN, BEN), found, strict=True):
            assert one.answer == steep(customer)
            assert abs(one.gap) <= explaining.TOLERANCE
            assert abs(one.base + sum(each.value for each in one.contributions) - one.answer) <= explaining.TOLERANCE
            assert [each.column for each in one.contributions] == ["a", "b", "c"]

    def test_no_record_is_asked_twice(self, explaining: ModuleType) -> None:
        asked: list[list[Record]] = []
        explaining.explain([ANN], ROWS, answering(steep, asked))
        assert len({tuple(record.values()) for record in asked[0]}) == len(asked[0])
        assert ANN in asked[0]

    def test_they_are_what_the_definition_says_within_their_error(self, explaining: ModuleType) -> None:
        found = explaining.explain([ANN], ROWS, answering(steep, []), draws=len(ROWS), seed=3)[0]
        right = by_definition(steep, ANN, ROWS)
        for each in found.contributions:
            assert each.error > 0
            assert abs(each.value - right[each.column]) < 4 * each.error
        # Every row was drawn, so the base is theirs exactly.
        assert found.base == pytest.approx(sum(map(steep, ROWS)) / len(ROWS))

    def test_two_columns_have_two_orders_so_that_they_are_exact(self, explaining: ModuleType) -> None:
        rows = [{"a": row["a"], "b": row["b"]} for row in ROWS]

        def product(record: Record) -> float:
            return float(record["a"] * record["b"])

        found = explaining.explain([{"a": 3, "b": 2}], rows, answering(product, []), draws=len(rows))[0]
        right = by_definition(product, {"a": 3, "b": 2}, rows)
        assert {each.column: each.value for each in found.contributions} == pytest.approx(right)

    def test_columns_that_do_not_matter_contribute_nothing(self, explaining: ModuleType) -> None:
        found = explaining.explain([ANN], ROWS, answering(lambda record: 0.1 * record["a"], []), draws=20)[0]
        values = {each.column: each.value for each in found.contributions}
        assert values["b"] == values["c"] == 0
        assert values["a"] == pytest.approx(found.answer - found.base)

    def test_they_are_the_same_when_asked_again(self, explaining: ModuleType) -> None:
        one, two = (explaining.explain([ANN], ROWS, answering(steep, []), draws=10)[0] for _ in range(2))
        assert one == two


class TestFields:
    @pytest.fixture
    def fields(self, part: Callable[[str], ModuleType]) -> ModuleType:
        return part("prediction_view.fields")

    @pytest.fixture
    def form(self, fields: ModuleType) -> list[Any]:
        made: list[Any] = fields.fields_of(customers().drop(columns=["churn", "female"]))
        return made

    def test_what_a_form_says_becomes_values_that_the_endpoint_takes(self, fields: ModuleType, form: list[Any]) -> None:
        assert fields.read(form, FORM) == (
            {"tenure": 12, "contract": "Two year", "partner": 1, "total_charges": None}, {}
        )  # fmt: skip

    def test_what_nobody_changes_comes_back_as_it_was(self, fields: ModuleType, form: list[Any]) -> None:
        record = {"tenure": 7, "contract": "One year", "partner": 0, "total_charges": 18889.123456}
        for other in (record, {**record, "total_charges": None}, {**record, "total_charges": 20.0}):
            assert fields.read(form, {each.name: each.words(other[each.name]) for each in form}) == (other, {})

    @pytest.mark.parametrize(
        ("name", "text"),
        [("tenure", "many"), ("tenure", "1.5"), ("tenure", ""), ("contract", "none"), ("partner", "2"),
         ("total_charges", "nan"), ("total_charges", "1e999"), ("total_charges", "<b>")],
    )  # fmt: skip
    def test_a_value_that_does_not_fit_says_what_to_write(
        self, fields: ModuleType, form: list[Any], name: str, text: str
    ) -> None:
        _, wrong = fields.read(form, {**FORM, name: text})
        assert list(wrong) == [name]
        assert re.search("such as|Take one of", wrong[name])

    def test_values_beyond_the_training_data_are_unusual(self, form: list[Any]) -> None:
        tenure = form[0]
        assert [tenure.is_unusual(value) for value in (-1, tenure.least, tenure.most, 1000)] == [
            True,
            False,
            False,
            True,
        ]


def customers() -> pd.DataFrame:
    """A few customers, like those of the data."""
    kinds = ["Month-to-month", "One year", "Two year"]
    return pd.DataFrame(
        {
            "churn": ["Yes" if i % 4 == 0 else "No" for i in range(60)],
            "female": [i % 2 for i in range(60)],
            "tenure": [1 + i for i in range(60)],
            "contract": [kinds[i % 3] for i in range(60)],
            "partner": [i // 3 % 2 for i in range(60)],
            "total_charges": [None if i % 9 == 5 else 20.5 * i for i in range(60)],
        }
    )


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    running = Gateway(tmp_path_factory.mktemp("gateway"))
    running.publish({"acme/churn": endpoint(1, target("churn", 3, signature=SIGNATURE))})
    yield running
    running.stop()


class TestTrouble:
    """With a real gateway, none of whose endpoints has a replica."""

    @pytest.fixture
    def page(
        self, part: Callable[[str], ModuleType], gateway: Gateway, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[..., tuple[int, str]]:
        """Ask for a customer's page, with a form where one is given: its status and its text."""

        def ask(form: Record | None = None, *, path: str = "acme/churn", key: str = KEY) -> tuple[int, str]:
            monkeypatch.setenv("MODELWRIGHT_GATEWAY_URL", gateway.url)
            monkeypatch.setenv("ENDPOINT_URL", f"/{path}/predict" if path else "")
            monkeypatch.setenv("ENDPOINT_KEY", key)
            client = part("prediction_view").create_app(customers()).test_client()
            listed = client.get("/").text
            address = re.search(r'href="(/customers/\d+)"', listed)
            assert address, listed
            answer = client.post(address[1], data=form) if form else client.get(address[1])
            assert "script" not in answer.headers["Content-Security-Policy"]
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
            return answer.status_code, answer.text

        return ask

    def test_no_replica(self, page: Callable[..., tuple[int, str]]) -> None:
        status, text = page()
        assert status == 503
        assert "No replica of acme/churn answers" in text
        assert "Try again in a moment" in text
        assert "What if?" in text

    def test_a_key_that_is_none(self, page: Callable[..., tuple[int, str]]) -> None:
        status, text = page(key="mwk_other")
        assert status == 502
        assert "not one of this endpoint" in text
        assert "Make a key on the endpoint" in text
        assert "mwk_other" not in text

    def test_a_key_in_a_file(self, page: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
        (tmp_path / "key").write_text(f"{KEY}\n")
        assert "No replica" in page(key=str(tmp_path / "key"))[1]

    def test_an_endpoint_that_is_none(self, page: Callable[..., tuple[int, str]]) -> None:
        status, text = page(path="acme/other")
        assert status == 502
        assert "is it deployed, and is this its address?" in text

    def test_variables_that_are_not_set(self, page: Callable[..., tuple[int, str]]) -> None:
        status, text = page(path="")
        assert status == 503
        assert "ENDPOINT_URL" in text

    def test_a_wrong_value_stands_beside_its_field_with_what_was_written(
        self, page: Callable[..., tuple[int, str]]
    ) -> None:
        _, text = page({**FORM, "tenure": "<i>many"})
        assert "&#39;&lt;i&gt;many&#39; is not a whole number, such as 12." in text
        assert "<i>many" not in text
        assert 'value="&lt;i&gt;many"' in text

    def test_what_the_endpoint_refuses_is_told_by_column(
        self, part: Callable[[str], ModuleType], gateway: Gateway
    ) -> None:
        asking = part("prediction_view.asking")
        asked = asking.Endpoint(f"{gateway.url}/acme/churn/predict", "Yes", KEY)
        with pytest.raises(asking.Trouble) as caught:
            asked.ask([{"tenure": 10**30, "contract": "One year", "partner": 1, "total_charges": None}])
        assert caught.value.status == 422
        assert list(caught.value.wrong) == ["tenure"]
        assert caught.value.wrong["tenure"].startswith("Expected ")

    def test_nobody_listens(self, part: Callable[[str], ModuleType]) -> None:
        asking = part("prediction_view.asking")
        with pytest.raises(asking.Trouble) as caught:
            asking.Endpoint("http://127.0.0.1:9/acme/churn/predict", "Yes", "mwk_x").ask([{}])
        assert "could not be asked" in caught.value.message
        assert "gateway runs" in caught.value.remedy

    def test_a_refusal_that_is_too_many_says_when_to_come_again(self, part: Callable[[str], ModuleType]) -> None:
        asking = part("prediction_view.asking")
        body = b'{"detail": "acme/churn has 900 requests waiting already.", "remedy": "Try again."}'
        trouble = asking.refusal(429, body, "3")
        assert (trouble.status, trouble.message) == (503, "acme/churn has 900 requests waiting already.")
        assert "in about 3 s" in trouble.remedy
        assert asking.refusal(500, b"<html>", "").remedy
        assert asking.refusal(502, b'["x"]', "").message == "The endpoint answered with the status 502."
