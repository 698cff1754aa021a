"""Measures the paths that matter beside pgbench, on the same database, in the same run."""
