"""Logs: what instances print, and a record of each request. Bounded on disk, searched without reading all of it."""
