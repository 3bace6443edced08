"""Taking over the files and the history of a repository elsewhere."""
