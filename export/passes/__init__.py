"""Rewrites of a tower before conversion. Each is a pure function whose equality is checked before use.

`choices.py` lists the passes for each runtime and instruction set, with evidence; `registry.py` maps names to passes;
`pipeline.apply_passes` runs and checks them. Each other file holds passes of one kind.
"""
