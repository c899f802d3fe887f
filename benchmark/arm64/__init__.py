"""An emulated arm64 phone on a Linux PC: it counts the instructions that an inference takes on Arm's own kernels.

Instructions are no latency: they say nothing of caches and pipelines. But they are the same in every run, on every
PC, and so show what a change of the graph or of the precision costs or saves on Arm.
"""
