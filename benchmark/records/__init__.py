"""The records that a benchmark leaves behind, their fields and their JSON Schemas."""
