"""Jobs that pushes start: to the project's own repository, or to one elsewhere that tells of them by a webhook."""
