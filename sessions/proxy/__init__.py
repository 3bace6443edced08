"""The proxy in front of sessions and applications: an origin for each, and nobody in who may not be. No Django."""
