"""Reinforced data sets: stored teachers' embeddings and augmentations beside each sample."""
