"""Hosted farms of devices: runs that are paid for, found again after a crash, and brought back as records."""
