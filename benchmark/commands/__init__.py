"""The commands for measuring. Each file reads options, calls the layers below and prints."""
