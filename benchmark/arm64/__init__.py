"""An emulated arm64 phone on a Linux PC. It counts the instructions of an inference with the Arm kernels.

Instruction counts are not latencies: they ignore caches and pipelines. But they are the same in every run on every PC,
so they show what a change of the graph or the precision costs or saves on Arm.
"""
