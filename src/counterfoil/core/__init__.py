"""Decides. Pure and standard library only: no clock, no randomness, no environment, no log, no I/O."""
