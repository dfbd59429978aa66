"""ServiceNow by its Table API."""
