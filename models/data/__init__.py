"""Image-caption data: shards, CSV files and scenes as endless batches for training, or as pairs in file order."""
