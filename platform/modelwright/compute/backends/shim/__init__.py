"""The supervisor of one host process: standard library only, started in its own session, outlives who started it."""
