"""Export of both towers to ONNX, Core ML, ExecuTorch and LiteRT, each artefact proven against PyTorch."""
