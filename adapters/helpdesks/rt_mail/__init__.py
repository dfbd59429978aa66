"""Request Tracker reached by nothing but its mail gateway."""
