"""What looks at every room: the start page, the auditor's console, the documentation of the REST API."""
