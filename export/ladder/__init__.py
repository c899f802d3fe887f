"""The parity ladder: one tower from eager PyTorch to the artefact, and where on the way it goes astray."""
