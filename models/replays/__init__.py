"""Logged requests asked of a candidate before it serves, and drills that prove the version before ready."""
