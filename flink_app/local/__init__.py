"""Runs the job on one machine: mini-cluster, input, results, display."""
