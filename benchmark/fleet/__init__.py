"""Several hosts with devices as one bench: jobs that are measured once, devices that are drained and come back."""
