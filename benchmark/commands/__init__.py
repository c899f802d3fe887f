"""The commands of measuring: each file reads options, calls the layers below and prints."""
