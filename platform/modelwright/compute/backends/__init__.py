"""Backends start, stop and describe workloads. Nothing in here imports Django or Celery."""
