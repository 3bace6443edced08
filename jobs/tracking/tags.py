"""The tags that the platform writes to MLflow runs; clients cannot."""

RUN_ID_TAG = "modelwright.run_id"
# Which attempt of the run it was, from 1 on.
ATTEMPT_TAG = "modelwright.attempt"
USER_TAG = "modelwright.user"
