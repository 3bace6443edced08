"""What runs in a session: the packages beside the project's own, the command, and the variables."""

from __future__ import annotations

import json

from jobs.run_environment import CAPTURE_SITE
from modelwright.compute.observing import CAPTURED, PRIVATE
from sessions.models import Session

# As uv.lock pins them (tested); resolved together with the project's requirements.
ADDITIONS = ("ipykernel==7.4.0", "jupyterlab==4.6.6", "pip==26.3")
COMMAND = ("{python}", "-m", "modelwright_runtime.session")
# For Lab to end its kernels, and for the last save.
GRACE_SECONDS = 20.0
_PRIVATE = f"{{work}}/{PRIVATE}"


def plain_variables(session: Session, name: str, email: str) -> dict[str, str]:
    """What is no secret. `name` and `email` are those of commits."""
    project = session.project
    return {
        "MODELWRIGHT_URL": "{web}",
        "MODELWRIGHT_PROJECT": project.name,
        "MODELWRIGHT_PROJECT_ID": str(project.pk),
        "MODELWRIGHT_SESSION_ID": str(session.pk),
        "MODELWRIGHT_SESSION_NUMBER": str(session.number),
        "MODELWRIGHT_SESSION_BRANCH": session.branch,
        "MODELWRIGHT_SESSION_AUTHOR": name,
        "MODELWRIGHT_SESSION_EMAIL": email,
        "MODELWRIGHT_SESSION_SOCKET": "{socket}",
        "MODELWRIGHT_SESSION_TREE": f"{{work}}/{project.name}",
        "MODELWRIGHT_SESSION_PRIVATE": _PRIVATE,
        "MODELWRIGHT_SESSION_COMMANDS": "1" if session.records_commands else "0",
        "MODELWRIGHT_SESSION_PACKAGES": json.dumps(session.packages),
        # What Python processes read and write in the tree is on record, as far as it can be seen.
        "PYTHONPATH": CAPTURE_SITE,
        "MODELWRIGHT_CAPTURE": f"{_PRIVATE}/{CAPTURED}",
        "MODELWRIGHT_CAPTURE_ROOTS": f"{{work}}/{project.name}",
        "MLFLOW_TRACKING_URI": "{web}/mlflow",
        "MLFLOW_EXPERIMENT_NAME": f"session-{session.number}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # They lead to MLflow's own pages, which the platform does not show.
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "DO_NOT_TRACK": "true",
        "GIT_PYTHON_REFRESH": "quiet",
    }
