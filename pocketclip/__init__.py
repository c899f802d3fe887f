"""PocketCLIP: CLIP-style image-text models on phones."""
