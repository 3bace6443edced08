"""Stages of versions, their checks and model cards, and the second person who approves them for production."""
