"""Batch scoring: reads a file or a table chunk by chunk, predicts, and hands each chunk to the platform."""
