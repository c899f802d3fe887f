"""The parity proof: measures against PyTorch, the budgets they keep, and the gates of whole CLIPs."""
