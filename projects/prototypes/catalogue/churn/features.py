"""Step 2: choose the columns, split train from test, keep a profile of every column.

The columns stay as the customer system writes them: all that is computed from them stands in the model's pipeline, so
that an endpoint takes the same columns as training did.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import customers as people
import mlflow
import pandas as pd
import tracking


def profile(frame: pd.DataFrame) -> dict[str, Any]:
    """What each column looked like at training, to compare later requests with."""
    columns: dict[str, Any] = {}
    for name, values in frame.items():
        facts: dict[str, Any] = {"missing": float(values.isna().mean())}
        if pd.api.types.is_numeric_dtype(values):
            quantiles = values.quantile([0, 0.05, 0.25, 0.5, 0.75, 0.95, 1])
            facts |= {"mean": float(values.mean()), "quantiles": {str(q): float(v) for q, v in quantiles.items()}}
        else:
            facts["share"] = {str(k): float(v) for k, v in values.value_counts(normalize=True).items()}
        columns[str(name)] = facts
    return columns


def main() -> None:
    """Write train.csv, test.csv and profile.json and log them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--test-share", type=float, default=people.TEST_SHARE, help="share of customers held out")
    parser.add_argument("--seed", type=int, default=people.SEED, help="seed of the split")
    options = parser.parse_args()

    ingested = tracking.newest_run("ingest")
    with tracking.start("features"):
        source = tracking.fetch(ingested, "data/churn.csv")
        customers = pd.read_csv(source)
        train, test = people.split(customers, options.test_share, options.seed)
        folder = Path("data") / "features"
        folder.mkdir(parents=True, exist_ok=True)
        train.to_csv(folder / "train.csv", index=False)
        test.to_csv(folder / "test.csv", index=False)
        (folder / "profile.json").write_text(json.dumps(profile(train), indent=1))

        mlflow.set_tag("input_run_id", ingested.info.run_id)
        mlflow.log_params(
            {
                "test_share": options.test_share,
                "seed": options.seed,
                "left_out": ",".join(people.LEFT_OUT),
                "input_sha256": tracking.sha256(source),
                "train_sha256": tracking.sha256(folder / "train.csv"),
                "test_sha256": tracking.sha256(folder / "test.csv"),
            }
        )
        mlflow.log_metrics({"train_rows": len(train), "test_rows": len(test)})
        known = customers.drop(columns=people.LEFT_OUT)
        data = mlflow.data.from_pandas(known, source=str(source), name="telco-churn", targets=people.TARGET)
        mlflow.log_input(data, context="features", tags={"run_id": ingested.info.run_id})
        mlflow.log_artifacts(str(folder), "features")
        print(f"{len(train):,} customers to train on, {len(test):,} held out")


if __name__ == "__main__":
    main()
