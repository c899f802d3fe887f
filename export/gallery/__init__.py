"""An index of photographs by their embeddings, searched by a sentence or by a photograph."""
