"""The commands for exporting. Each file reads options, calls the layers below and prints."""
