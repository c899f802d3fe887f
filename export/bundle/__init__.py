"""Bundles: both towers of a model and all that an application needs beside them, in one folder that proves itself."""
