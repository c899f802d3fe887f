"""What comes from a file, a device or a network, parsed into what it may be before it is used or shown."""
