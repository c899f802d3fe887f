"""What Android's own programs print, of versions 8 to 15, as values. Each module reads the output of one of them."""
