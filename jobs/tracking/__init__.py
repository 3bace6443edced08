"""Tracking: the proxy in front of MLflow and the reader of its tables."""
