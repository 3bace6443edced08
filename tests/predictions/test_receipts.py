"""Receipts over REST and on the page: what they bind, that they hold offline, and whose keys sign them."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from models.endpoints.models import Deployment
from models.predictions.models import Prediction, ReceiptKey
from models.predictions.receipt_keys import key_file
from models.registry.models import ModelVersion
from modelwright.accounts.models import User
from modelwright.audit.models import AuditEvent
from modelwright.compute.models import Environment, EnvironmentRequest
from modelwright.core.canonical import digest
from modelwright.core.ids import new_id
from modelwright.local.verifying import main
from tests.predictions.test_shipping import ship_all, write

pytestmark = pytest.mark.django_db
Api = Callable[[User], Any]
SENT = {"alcohol": 13.20, "id": 2**60 + 1, "name": "é\u2028", "small": 5e-324, "none": None}


@pytest.fixture(autouse=True)
def _data(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path / "data"


@pytest.fixture
def environment(deployment: Deployment) -> Environment:
    """That of the version which is deployed."""
    made: Environment = Environment.objects.create(lock_digest="f" * 64, lock="", python_version="3.11")
    request = EnvironmentRequest.objects.create(
        requirements_digest="d" * 64, python_version="3.11", kind="requirements.txt", state="ready", environment=made
    )
    ModelVersion.objects.update(environment_request=request, manifest_digest="b" * 64)
    return made


@pytest.fixture
def prediction(spool: Path, make_record: Any, environment: Environment) -> Prediction:
    """A prediction that came the usual way."""
    probabilities = [{"one:0": 0.1 + 0.2, "one:1": 0.7}]
    write(spool, [make_record(inputs=[SENT], outputs=["one:0"], probabilities=probabilities)])
    ship_all(spool)
    return Prediction.objects.get()


def keep(folder: Path, name: str, content: Any) -> str:
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return str(folder / name)


def test_a_receipt_binds_everything_and_holds_offline(
    api: Api, ann: User, prediction: Prediction, deployment: Deployment, tmp_path: Path, client: Client
) -> None:
    answer = api(ann).get(f"/api/v1/predictions/{prediction.pk.hex}/receipt/")
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"] == f'attachment; filename="receipt-{prediction.pk.hex}.json"'
    payload = answer.json()["payload"]
    assert payload["prediction"]["id"] == str(prediction.pk)
    assert payload["version"]["manifest_sha256"] == "b" * 64
    assert payload["environment"] == {"lock_sha256": "f" * 64, "python": "3.11"}
    assert payload["served_by"] == {"path": "original", "sha256": None}
    target = {"version_id": str(prediction.model_version_id), "manifest_sha256": "b" * 64, "weight": 100}
    assert payload["deployment"]["targets"] == [target]
    assert (payload["deployment"]["id"], payload["deployment"]["number"]) == (str(deployment.pk), 1)
    assert payload["input"] == {"sha256": digest([SENT]), "records": 1, "redacted": []}
    again = api(ann).get(f"/api/v1/predictions/{prediction.pk}/receipt/")
    assert again.content == answer.content

    keys = client.get("/api/v1/receipt-keys/").json()["results"]
    assert [key["key_id"] for key in keys] == [payload["key_id"]]
    words = [keep(tmp_path, "receipt", answer.json()), "--key", keep(tmp_path, "key", keys[0]["public_key"])]
    body = {"records": [SENT]}
    told = {"predictions": ["one:0"], "probabilities": [{"one:1": 0.7, "one:0": 0.1 + 0.2}]}
    whole = [*words, "--input", keep(tmp_path, "body", body), "--output", keep(tmp_path, "answer", told)]
    assert main(whole) == 0
    keep(tmp_path, "body", {"records": [{**SENT, "id": 2**60}]})
    assert main(whole) == 1


def test_of_redacted_input_the_receipt_says_so(
    api: Api, ann: User, spool: Path, make_record: Any, environment: Environment, tmp_path: Path
) -> None:
    recorded = [{"alcohol": 13.2, "name": {"redacted": "0a1b"}}]
    failed = make_record(outputs=[], status=502, error={"code": "model_error", "message": "no"})
    write(spool, [make_record(inputs=recorded), failed])
    ship_all(spool)
    second, first = Prediction.objects.order_by("id")
    receipt = api(ann).get(f"/api/v1/predictions/{first.pk}/receipt/").json()
    assert receipt["payload"]["input"] == {"sha256": digest(recorded), "records": 1, "redacted": ["name"]}
    other = api(ann).get(f"/api/v1/predictions/{second.pk}/receipt/").json()["payload"]
    assert other["prediction"]["status"] == 502
    assert other["output"]["error_sha256"] == digest({"code": "model_error", "message": "no"})


def test_the_key_is_made_once_for_the_platform_alone_and_may_be_replaced(
    api: Api, ann: User, prediction: Prediction, tmp_path: Path
) -> None:
    address = f"/api/v1/predictions/{prediction.pk}/receipt/"
    first = api(ann).get(address).json()
    assert stat.S_IMODE(key_file().stat().st_mode) == 0o600
    call_command("rotate_receipt_key")
    second = api(ann).get(address).json()
    assert first["payload"]["key_id"] != second["payload"]["key_id"]
    assert {**first["payload"], "key_id": ""} == {**second["payload"], "key_id": ""}
    assert AuditEvent.objects.filter(action="receipt-key.created").count() == ReceiptKey.objects.count() == 2
    assert list(key_file().parent.iterdir()) == [key_file()]
    # Whoever kept a receipt of the first key checks it with the list of all keys.
    all_keys = keep(tmp_path, "keys", "".join(ReceiptKey.objects.values_list("public_key", flat=True)))
    for receipt in (first, second):
        assert main([keep(tmp_path, "receipt", receipt), "--key", all_keys]) == 0
    key_file().write_text("damaged")
    answer = api(ann).get(address)
    assert (answer.status_code, "receipt-key.pem" in answer.json()["remedy"]) == (503, True)


def test_strangers_get_no_receipt(api: Api, stranger: User, prediction: Prediction) -> None:
    assert api(stranger).get(f"/api/v1/predictions/{prediction.pk}/receipt/").status_code == 404


def test_pages_give_receipt_keys_and_truth(
    browser_client: Callable[[User], Client], ann: User, prediction: Prediction
) -> None:
    page = browser_client(ann)
    assert json.loads(page.get(f"/predictions/{prediction.pk.hex}/receipt/").content)["payload"]["format"]
    assert "in use" in page.get("/receipt-keys/").content.decode()
    assert page.get("/receipt-keys/file/").content.startswith(b"-----BEGIN PUBLIC KEY-----")
    address = f"/predictions/{prediction.pk.hex}/truth/"
    shown = page.get(f"/predictions/{prediction.pk.hex}/").content.decode()
    assert "Nobody has said yet" in shown
    assert page.post(address, {"truth": ""}).status_code == 422
    assert page.post(address, {"truth": "one:1", "happened_at": "2999-01-01T10:00"}).status_code == 422
    wrong = page.post(address, {"truth": "one:1", "happened_at": "yesterday"})
    assert wrong.status_code == 422
    assert "Write it as 2026-01-31 14:05, in UTC." in wrong.content.decode()
    assert page.post(address, {"truth": "one:1", "happened_at": "2026-01-01T10:00"}).status_code == 302
    shown = page.get(f"/predictions/{prediction.pk.hex}/").content.decode()
    assert "&quot;one:1&quot;" in shown
    feedback = page.get(f"/endpoints/{prediction.endpoint_id}/feedback/").content.decode()
    assert "1 of 1 records" in feedback
    assert "No feedback" not in page.get(f"/endpoints/{prediction.endpoint_id}/feedback/?matched=true").content.decode()


def test_what_a_batch_job_predicted_without_an_endpoint_has_all_of_it(
    api: Api, browser_client: Callable[[User], Client], ann: User, prediction: Prediction
) -> None:
    job = new_id()
    Prediction.objects.update(endpoint_id=job, deployment_id=job, endpoint_name="", deployment_number=None, key_id=None)
    shown = browser_client(ann).get(f"/predictions/{prediction.pk.hex}/")
    assert (shown.status_code, "Download the receipt" in shown.content.decode()) == (200, True)
    address = f"/api/v1/predictions/{prediction.pk.hex}/"
    said = api(ann).post(f"{address}feedback/", {"truth": "one:0"}, content_type="application/json")
    assert (said.status_code, said.json()["unmatched"]) == (201, 0)
    assert api(ann).get(f"{address}feedback/").json()["results"][0]["matched"] is True
    payload = api(ann).get(f"{address}receipt/").json()["payload"]
    assert payload["deployment"] == {"id": str(job), "number": None, "kind": None, "targets": None}
    wrong = api(ann).post(f"{address}feedback/", {"truth": 1, "record": 3}, content_type="application/json")
    assert wrong.json()["errors"][0]["field"] == "record"
