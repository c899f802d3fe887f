"""The building blocks of MobileCLIP's two towers."""
