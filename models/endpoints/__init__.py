"""Endpoints: a stable address, what serves it, and the reconciler that makes it so."""
