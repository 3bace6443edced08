"""Filters of the pages of rollouts."""
