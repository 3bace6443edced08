"""The stream of what happened at endpoints, for sinks outside and subscribers inside the platform."""
