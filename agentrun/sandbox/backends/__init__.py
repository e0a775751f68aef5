"""Kinds of isolation, one file or folder each; none knows another."""
