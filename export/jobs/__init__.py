"""Export jobs: planning, memory limits, worker processes, and skipping unchanged artefacts."""
