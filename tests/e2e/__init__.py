"""Tests of the whole platform, started as a stranger would start it."""
