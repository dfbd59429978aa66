"""Jira Cloud by its REST interface, version 3."""
