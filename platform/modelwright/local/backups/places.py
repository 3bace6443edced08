"""What of an installation a backup holds, and where that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PLATFORM, MLFLOW = "modelwright", "mlflow"
SECRET_KEY = "secrets/secret-key"  # noqa: S105 - a path
# Made by the platform itself, so it lies in the data directory wherever the other secrets are.
RECEIPT_KEY = "secrets/receipt-key.pem"
BLOBS = "blobs"
SPOOL = "gateway/spool"
# In this order: what names is taken before what is named.
FOLDERS = ("secrets", SPOOL, "repositories", BLOBS, "mlflow/artifacts")


@dataclass(frozen=True)
class Places:
    """One installation. `urls` are its databases by name; `blobs` is what `MODELWRIGHT_BLOBS` says, or empty.

    MLflow's comes first: what is held of it a moment earlier is a registration that the platform knows already and
    imports again, which is harmless. The other way round it would be lost.
    """

    data: Path
    urls: Mapping[str, str]
    secret_key: Path
    blobs: str = ""

    @property
    def keeps_own_secrets(self) -> bool:
        """Whether the secret key lies in the data directory and not where somebody else looks after it."""
        return self.secret_key == self.data / SECRET_KEY

    @property
    def bucket(self) -> str:
        """The bucket that holds the blobs; empty where they are files of this machine."""
        return self.blobs if "://" in self.blobs and not self.blobs.startswith("file://") else ""

    def path(self, name: str) -> Path:
        """Where a file or folder of a backup lies in this installation. Blobs may have a folder of their own."""
        first, _, rest = name.partition("/")
        if first == BLOBS and self.blobs and not self.bucket:
            return Path(self.blobs.removeprefix("file://")) / rest
        return self.data / name

    def what_is_there(self) -> list[str]:
        """Folders that hold a file: where there are any, the installation is not new."""
        return [name for name in FOLDERS if name != "secrets" and _holds_files(self.path(name))]


def _holds_files(folder: Path) -> bool:
    return any(path.is_file() for path in folder.rglob("*")) if folder.is_dir() else False
