"""The public functions about models; `import pocketclip` gives them."""

from pocketclip.models.api.loading import Model, load_model
from pocketclip.models.api.pictures import build_pictures
from pocketclip.models.api.training import reinforce, train

__all__ = ["Model", "build_pictures", "load_model", "reinforce", "train"]
