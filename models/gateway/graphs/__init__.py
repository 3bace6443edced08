"""Inference graphs: several versions behind one address, asked in an order that their answers decide. docs/graphs.md.

Plain data and plain code, but for `running`, which asks replicas.
"""
