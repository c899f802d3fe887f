"""Rewrites of a tower before it is converted: each is a pure function, and proven equal before it is used.

`choices.py` says which pass is used for which runtime and instruction set, with the evidence; `registry.py` has them by
name; `pipeline.apply_passes` runs and proves them. The other files each hold passes of one kind.
"""
