"""The composition root: settings, URLs, ASGI, Celery, and the platform's own apps."""

__version__ = "0.1.0"
