"""Registered models and their versions: taken over from MLflow, snapshotted, inspected."""
