"""Rules of the house itself."""
