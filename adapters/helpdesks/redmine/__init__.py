"""Redmine 5 by its REST interface."""
