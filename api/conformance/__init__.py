"""Conformance runs: cases that a partner goes through, the program that drives them, and the reports."""
