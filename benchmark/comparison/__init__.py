"""What is compared: the converters' plain calls on a tower, and our exports of it."""
