"""The parity ladder: follows one tower from eager PyTorch to the artefact and finds where it diverges."""
