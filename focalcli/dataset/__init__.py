"""Annotations as parallel arrays: formats, checks, edits, splits, statistics. Never imports torch."""
