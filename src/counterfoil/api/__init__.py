"""The HTTP door: translates requests into commands and looks, and their results back. It holds no rules."""
