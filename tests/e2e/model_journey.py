"""What becomes of a version besides answering: its compiled form, a batch job, and a PMML document from a run."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Any

import requests

from modelwright.local.demo.client import Client
from tests.compose.journey import Served
from tests.e2e.stack import wait_for

ENDED = ("succeeded", "failed", "cancelled", "timed_out", "out_of_memory", "lost")
# As another tool would have written it: petals shorter than 2.45 are of a setosa, others of a versicolor, in both cases
# with some doubt.
PMML = """<PMML version="4.4" xmlns="http://www.dmg.org/PMML-4_4"><Header/><DataDictionary>
<DataField name="petal_length" optype="continuous" dataType="double"/>
<DataField name="species" optype="categorical" dataType="string"><Value value="setosa"/><Value value="versicolor"/>
</DataField></DataDictionary>
<TreeModel functionName="classification"><MiningSchema><MiningField name="petal_length"/>
<MiningField name="species" usageType="target"/></MiningSchema>
<Node><True/>
<Node score="setosa"><SimplePredicate field="petal_length" operator="lessThan" value="2.45"/>
<ScoreDistribution value="setosa" recordCount="9"/><ScoreDistribution value="versicolor" recordCount="1"/></Node>
<Node score="versicolor"><SimplePredicate field="petal_length" operator="greaterOrEqual" value="2.45"/>
<ScoreDistribution value="setosa" recordCount="1"/><ScoreDistribution value="versicolor" recordCount="3"/></Node>
</Node></TreeModel></PMML>"""
LOG_PMML = f"""
import pathlib
import mlflow, pandas
from modelwright_runtime.flavors import pmml

pathlib.Path("species.pmml").write_text('''{PMML}''')
with mlflow.start_run():
    mlflow.log_metric("accuracy", 0.9)
    pmml.log_model(
        "species.pmml",
        name="model",
        input_example=pandas.DataFrame({{"petal_length": [1.4, 4.7]}}),
        registered_model_name="species",
    )
"""


@dataclass(frozen=True)
class Journey:
    """One person's way through a platform on which iris is served."""

    api: Client
    served: Served

    @property
    def project(self) -> str:
        """Whose endpoint it is."""
        return str(self.served.endpoint["project"])

    def versions(self, model: str) -> list[dict[str, Any]]:
        """The versions of the project's model of that name, the newest first."""
        found = [each for each in self.api.pages("/api/v1/models/", project=self.project) if each["name"] == model]
        return list(self.api.pages(f"/api/v1/models/{found[0]['id']}/versions/")) if found else []

    def compiled(self, model: str = "iris") -> dict[str, Any]:
        """What came of compiling the model's newest version, once that is known."""
        (version, *_) = self.versions(model)

        def look() -> dict[str, Any] | None:
            made: dict[str, Any] | None = self.api.get(f"/api/v1/model-versions/{version['id']}/")["compiled"]
            return made if made is not None and made["state"] not in ("pending", "compiling") else None

        return wait_for("the end of compiling", look, 1200)

    def served_by(self) -> list[str]:
        """By which path the endpoint answers."""
        return [
            each["served_by"] for each in self.api.get(f"/api/v1/endpoints/{self.served.endpoint['id']}/")["answering"]
        ]

    def wait_served_by(self, path: str) -> None:
        """Wait until it does by that one alone."""
        wait_for(f"answers by {path}", lambda: self.served_by() == [path], 300, lambda: str(self.served_by()))

    def wait_answered_by(self, path: str) -> None:
        """Ask until what is on record last was answered by that path: a gateway takes a table a moment after it is
        published."""
        address = f"/api/v1/endpoints/{self.served.endpoint['id']}/predictions/"

        def look() -> str:
            self.served.ask()
            found = [
                self.api.get(f"/api/v1/predictions/{row['id']}/") for row in self.api.get(address, limit="1")["results"]
            ]
            return str(found[0]["served_by"]) if found else ""

        wait_for(f"answers by {path}", lambda: look() == path, 120, look)

    def flowers(self, rows: int) -> str:
        """A table of flowers as CSV, keys from 1."""
        names = list(self.served.records[0])
        text = io.StringIO()
        write = csv.writer(text)
        write.writerow(["flower", *names])
        for number in range(1, rows + 1):
            write.writerow(
                [number, *(round(0.1 + (number * 7 + place * 13) % 69 / 10, 1) for place in range(len(names)))]
            )
        return text.getvalue()

    def batch(self, rows: int, *, chunk_rows: int) -> dict[str, Any]:
        """Start a batch job over an uploaded table of flowers."""
        body = {"name": "flowers.csv", "content": self.flowers(rows)}
        sent = self.api.post(f"/api/v1/projects/{self.project}/batch-inputs/", body)
        return self.score({"kind": "upload", "input": sent["id"]}, chunk_rows=chunk_rows)

    def score(self, source: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Start a batch job of the newest version over flowers."""
        (version, *_) = self.versions("iris")
        wanted = {"model_version": version["id"], "source": source, "key_columns": ["flower"], **more}
        made: dict[str, Any] = self.api.post(f"/api/v1/projects/{self.project}/batch-jobs/", wanted)
        return made

    def connect(self, name: str, config: dict[str, Any], secret: str) -> None:
        """Make a data connection to PostgreSQL in the project's workspace."""
        workspace = self.api.get(f"/api/v1/projects/{self.project}/")["workspace"]
        body = {"name": name, "kind": "postgresql", "config": config, "secret": secret}
        self.api.post(f"/api/v1/workspaces/{workspace}/data-connections/", body)

    def job(self, job: dict[str, Any]) -> dict[str, Any]:
        """The batch job as it is now."""
        now: dict[str, Any] = self.api.get(f"/api/v1/batch-jobs/{job['id']}/")
        return now

    def under_way(self, job: dict[str, Any], chunks: int = 2) -> dict[str, Any]:
        """The job once so many chunks are stored; it must not be over by then."""

        def look() -> dict[str, Any] | None:
            now = self.job(job)
            assert now["state"] in ("queued", "running"), now
            return now if now["chunks_done"] >= chunks else None

        return wait_for(f"{chunks} chunks", look, 600, lambda: str(self.job(job)))

    def over(self, job: dict[str, Any], seconds: float = 600) -> dict[str, Any]:
        """The job once it is over."""

        def look() -> dict[str, Any] | None:
            now = self.job(job)
            return now if now["state"] in ENDED else None

        return wait_for("the end of the batch job", look, seconds, lambda: str(self.job(job)))

    def check_scored_once(self, job: dict[str, Any], rows: int) -> None:
        """Every row is in the output and on record, once."""
        headers = {"Authorization": f"Bearer {self.api.token}"}
        answer = requests.get(f"{self.api.base}/api/v1/batch-jobs/{job['id']}/output/", headers=headers, timeout=60)
        assert answer.ok, answer.text
        output = list(csv.DictReader(io.StringIO(answer.text)))
        assert [int(row["flower"]) for row in output] == list(range(1, rows + 1))
        assert {row["prediction"] for row in output} <= {"setosa", "versicolor", "virginica"}
        assert {row["error"] for row in output} == {""}
        path = f"/api/v1/batch-jobs/{job['id']}/predictions/"
        recorded = [row["id"] for row in self.api.pages(path, limit="500")]
        assert len(recorded) == rows
        assert set(recorded) == {row["prediction_id"] for row in output}

    def log_pmml(self) -> dict[str, Any]:
        """Have a run log and register a PMML document through the tracking address; the version once it is ready."""
        path = f"/api/v1/projects/{self.project}"
        head = self.api.get(f"{path}/commits/")["results"][0]["sha"]
        body = {"message": "PMML", "expected_head": head, "changes": [{"path": "log_pmml.py", "content": LOG_PMML}]}
        self.api.post(f"{path}/commits/", body)
        run = self.api.post(f"{path}/runs/", {"script": "log_pmml.py"})

        def ended() -> dict[str, Any] | None:
            now: dict[str, Any] = self.api.get(f"/api/v1/runs/{run['id']}/")
            return now if now["state"] in ENDED else None

        done = wait_for("the end of the run", ended, 600)
        assert done["state"] == "succeeded", (done["cause"], self.api.get(f"/api/v1/runs/{run['id']}/log/")["text"])

        def ready() -> dict[str, Any] | None:
            found = self.versions("species")
            assert not found or found[0]["state"] not in ("failed", "refused"), found
            return found[0] if found and found[0]["state"] == "ready" else None

        version = wait_for("the version", ready, 300)
        assert version["source_run_id"] == run["id"]
        return version

    def serve(self, version: dict[str, Any], name: str) -> Served:
        """An endpoint of the version that answers, with a key."""
        endpoint = self.api.post(f"/api/v1/projects/{self.project}/endpoints/", {"name": name})
        path = f"/api/v1/endpoints/{endpoint['id']}"
        deployment = self.api.post(f"{path}/deployments/", {"model_version": version["id"]})

        def live() -> bool:
            now = self.api.get(f"/api/v1/deployments/{deployment['id']}/")
            assert now["state"] != "failed", now
            return bool(now["state"] == "live")

        wait_for("the deployment", live, 600)
        key = self.api.post(f"{path}/keys/", {"name": "tests"})["key"]
        made = Served(endpoint, key, [version["example"], {**version["example"], "petal_length": 5.0}])
        wait_for("answers", made.answers, 60)
        return made


def check_pmml_answers(journey: Journey) -> None:
    """A PMML document goes from a run to an endpoint, says what it should, and is described."""
    version = journey.log_pmml()
    assert version["flavor"] == "pmml", version
    assert version["signature"]["inputs"] == [{"name": "petal_length", "type": "double", "required": True}]
    assert version["algorithm_name"], version
    served = journey.serve(version, "species")
    said = Client(served.endpoint["url"], served.key).post(served.endpoint["url"], {"records": served.records})
    assert said["predictions"] == ["setosa", "versicolor"], said
    assert said["probabilities"] == [{"setosa": 0.9, "versicolor": 0.1}, {"setosa": 0.25, "versicolor": 0.75}], said
    refused = requests.post(
        served.endpoint["url"],
        json={"records": [{"petal_length": "long"}]},
        headers={"Authorization": f"Bearer {served.key}"},
        timeout=60,
    )
    assert refused.status_code == 422, refused.text
