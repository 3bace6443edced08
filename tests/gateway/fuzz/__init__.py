"""Fuzzing of everything that reads what strangers send. `python -m tests.gateway.fuzz TARGET` runs one with Atheris."""
