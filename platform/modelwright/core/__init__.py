"""What every app builds on. No tables."""
