"""The composition root: settings, URLs, ASGI, Celery, and the platform's own apps."""
