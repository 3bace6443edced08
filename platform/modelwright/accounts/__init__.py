"""People, their tokens, roles and permissions."""
