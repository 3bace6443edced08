"""What MLflow's own scoring server answers; runs inside the model environment: `python mlflow_answers.py MODEL`.

Reads `[[content type, body], ...]` as JSON from stdin, writes `[[status, text], ...]`."""

import json
import sys
from typing import Any

import mlflow.pyfunc
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import scoring_server


def main(directory: str) -> None:
    model = mlflow.pyfunc.load_model(directory)
    server: Any = scoring_server

    def answer(content_type: str, body: str) -> Any:
        try:
            schema = model.metadata.get_input_schema()
            found: Any = server.invocations(body.encode(), content_type, model, schema)
        except MlflowException as failure:
            error: Any = failure
            return [error.get_http_status_code(), error.serialize_as_json()]
        return [found.status, found.response]

    json.dump([answer(*request) for request in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
