"""Scripts that build the locked environments of runs; they run as workloads and import no Django."""
