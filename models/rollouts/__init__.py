"""Plans that bring a version to an endpoint step by step, stop by themselves, and leave a deployment for every step."""
