"""Projects: members, variables, source, prototypes."""
