"""Qualcomm's NPU (Hexagon HTP): its chips, graphs prepared for each of them, and their emulator on Linux."""
