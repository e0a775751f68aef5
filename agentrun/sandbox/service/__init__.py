"""Sandboxes over HTTP, on the paths of the original's data plane."""
