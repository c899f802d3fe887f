"""Runners: one launch of one artefact on one device, from the job to the checked result."""
