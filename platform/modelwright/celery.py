"""The Celery application. Tasks carry ids alone."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "modelwright.settings")
app = Celery("modelwright")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
