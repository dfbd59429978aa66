"""Helpdesks and lists of supporters that have nothing but mail."""
