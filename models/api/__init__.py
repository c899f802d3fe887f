"""The public functions about models; `import pocketclip` gives them."""

from pocketclip.models.api.listing import ListedModel, list_models
from pocketclip.models.api.loading import Model, load_model
from pocketclip.models.api.pictures import build_pictures
from pocketclip.models.api.training import reinforce, train
from pocketclip.models.api.vocabularies import build_vocabulary

__all__ = [
    "ListedModel",
    "Model",
    "build_pictures",
    "build_vocabulary",
    "list_models",
    "load_model",
    "reinforce",
    "train",
]
