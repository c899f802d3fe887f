"""The commands of exporting: each file reads options, calls the layers below and prints."""
