"""The study of `docs/encoders.md`: what each change of MobileCLIP's encoders costs and buys."""
