"""Code of a project, as a data scientist has it in the repository."""
