"""The tags that the platform writes to MLflow runs; clients cannot."""

RUN_ID_TAG = "modelwright.run_id"
USER_TAG = "modelwright.user"
