"""Apple's Core AI off a Mac: its packages, `.aimodel` assets, and Apple's own runtime for Linux."""
