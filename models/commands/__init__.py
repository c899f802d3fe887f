"""The commands of models and training: each file reads options, calls the layers below and prints."""
