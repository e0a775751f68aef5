"""Drivers: what makes instances exist, on one machine or beyond."""
