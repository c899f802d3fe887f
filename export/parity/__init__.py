"""Parity: measures against PyTorch, their budgets, and the gates of whole CLIPs."""
