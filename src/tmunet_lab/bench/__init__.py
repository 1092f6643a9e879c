"""Benchmarks of networks: parameters, MACs, memory, latency."""
