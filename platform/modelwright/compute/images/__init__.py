"""Images that hold the environment of a lock, built by the platform. Nothing in here imports Django or Celery."""
