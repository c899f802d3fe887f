"""The commands for models and training. Each file reads options, calls the layers below and prints."""
