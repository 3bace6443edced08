"""Batch scoring: a file or a table is predicted chunk by chunk, on the same record as what endpoints answer."""
