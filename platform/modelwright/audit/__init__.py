"""Who did what: append-only, sealed into a hash chain."""
