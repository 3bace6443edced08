"""Everything that starts a process for a person: hosts, environments, workloads and the backends that run them."""
