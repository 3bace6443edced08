"""Predictions on record: shipped from the gateways' spools, never written anywhere else."""
