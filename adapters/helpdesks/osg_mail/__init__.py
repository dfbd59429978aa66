"""The machine mail between GGUS and the Footprints desk of the Open Science Grid."""
