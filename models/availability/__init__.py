"""How much of what an endpoint was asked it answered, against its target; and how many replicas that takes."""
