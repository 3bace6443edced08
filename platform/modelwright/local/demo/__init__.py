"""The demonstration: the platform's main job, over its REST API, on the churn data."""
