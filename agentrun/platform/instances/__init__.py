"""Instances: as many copies of each version as its requests ask for."""
