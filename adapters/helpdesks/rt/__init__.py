"""Request Tracker 5 by its REST 2.0 interface."""
