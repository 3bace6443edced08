"""Variables and secrets of a project: what its workloads are given, and who was given which secret."""
