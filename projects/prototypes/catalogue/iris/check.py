"""Test a registered version on the flowers that train.py held out. It ends with 1 where the version is not good enough.

On the platform this is a step of kind `test`: started on a version's approval page, it leaves the check `tests`.
"""

from __future__ import annotations

import argparse
import sys

import mlflow
import train
from sklearn.datasets import load_iris
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split


def main() -> None:
    """Load the version, ask it, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--least-accuracy", type=float, default=0.9)
    parser.add_argument("--model", default="iris", help="name of the registered model")
    parser.add_argument("--version", required=True, help="number of the version")
    options = parser.parse_args()

    data = load_iris(as_frame=True)
    flowers = data.data.rename(columns=lambda name: name.replace(" (cm)", "").replace(" ", "_"))
    species = data.target.map(dict(enumerate(map(str, data.target_names))))
    _, flowers, _, species = train_test_split(
        flowers, species, test_size=0.25, random_state=train.SEED, stratify=species
    )
    said = mlflow.pyfunc.load_model(f"models:/{options.model}/{options.version}").predict(flowers)
    accuracy = accuracy_score(species, said)
    missing = set(species) - set(said)
    print(f"accuracy {accuracy:.3f} on {len(species)} flowers held out")
    if missing:
        sys.exit(f"It never says {', '.join(sorted(missing))}.")
    if accuracy < options.least_accuracy:
        sys.exit(f"The accuracy is below {options.least_accuracy}.")


if __name__ == "__main__":
    main()
