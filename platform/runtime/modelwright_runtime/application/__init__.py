"""A web application as a workload: its own server on a port of this machine, reached by a Unix socket."""
