"""`getprop [NAME]`."""

from __future__ import annotations

from android_state import log_call, phone

arguments = log_call("getprop")
properties = phone()["properties"]
if arguments:
    print(properties.get(arguments[0], ""))
else:
    for name in sorted(properties):
        print(f"[{name}]: [{properties[name]}]")
