"""Truth, a verdict and a receipt for a prediction of the whole platform, by REST and the command line alone."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import requests

from tests.e2e.stack import ROOT, Rest, Stack, wait_for


def test_truth_verdict_and_receipt_of_a_prediction(stack: Stack, rest: Rest, tmp_path: Path) -> None:
    endpoint = next(each for each in rest.get("endpoints/")["results"] if each["state"] == "active")
    key = rest.post(f"endpoints/{endpoint['id']}/keys/", {"name": "evidence"})["key"]
    asked = rest.get(f"endpoints/{endpoint['id']}/predictions/?limit=1")["results"][0]["inputs"][0]
    body = {"records": [asked, asked]}
    answer = wait_for("an answer to the new key", lambda: post(endpoint, "predict", key, body))
    id_ = answer["prediction_id"]
    # The truth may well be in the spool before the prediction is in the database.
    truth = [{"prediction_id": id_, "record": 1, "truth": answer["predictions"][1]}, {"response": 1, "truth": 0}]
    (told, own) = post(endpoint, "feedback", key, truth)["feedback_ids"]

    said = wait_for("the truth, with its prediction", lambda: matched(rest, endpoint, id_))
    assert said["id"].replace("-", "") == told
    assert (said["created_by"], said["problem"], said["record"]) == ("evidence", "", 1)
    everything = rest.get(f"endpoints/{endpoint['id']}/feedback/")["results"]
    assert [row["id"].replace("-", "") for row in everything if not row["matched"]] == [own]
    coverage = rest.get(f"endpoints/{endpoint['id']}/feedback/coverage/?days=1")
    assert coverage["with_truth"] >= 1
    assert coverage["records"] > coverage["with_truth"]

    made = rest.post(f"predictions/{id_}/reexecutions/")
    ended = wait_for(
        "a verdict", lambda: verdict(rest, made["id"]), 300, lambda: str(rest.get(f"reexecutions/{made['id']}/"))
    )
    assert ended["state"] == "same", ended
    assert ended["outputs"] == answer["predictions"]
    assert ended["probabilities"] is not None

    receipt = rest.get(f"predictions/{id_}/receipt/")
    keys = requests.get(f"{stack.web_url}/api/v1/receipt-keys/", timeout=60).json()["results"]
    files = {"receipt": receipt, "body": body, "answer": answer}
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content))
    (tmp_path / "keys").write_text("".join(each["public_key"] for each in keys))
    assert verified(tmp_path) == (0, "VALID")
    (tmp_path / "answer").write_text(json.dumps({**answer, "predictions": [None, None]}))
    assert verified(tmp_path) == (1, "NOT VALID")


def post(endpoint: dict[str, Any], what: str, key: str, body: Any) -> Any:
    """The answer; None while the gateway does not know the key yet."""
    address = f"{endpoint['url'].removesuffix('predict')}{what}"
    answer = requests.post(address, json=body, headers={"Authorization": f"Bearer {key}"}, timeout=60)
    assert answer.ok or answer.status_code == 401, answer.text
    return answer.json() if answer.ok else None


def matched(rest: Rest, endpoint: dict[str, Any], id_: str) -> Any:
    found = rest.get(f"endpoints/{endpoint['id']}/feedback/?prediction={id_}&matched=true")["results"]
    return found[0] if found else None


def verdict(rest: Rest, id_: str) -> Any:
    made = rest.get(f"reexecutions/{id_}/")
    return made if made["state"] in ("same", "different", "failed") else None


def verified(folder: Path) -> tuple[int, str]:
    words = ["verify-receipt", "receipt", "--key", "keys", "--input", "body", "--output", "answer"]
    done = subprocess.run([str(ROOT / "modelwright"), *words], cwd=folder, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout.splitlines()[0] if done.stdout else done.stderr
