"""`cmd power set-fixed-performance-mode-enabled true|false`, of Android 11 and later."""

from __future__ import annotations

from android_state import changing, log_call, refuse

arguments = log_call("cmd")
if arguments[:2] == ["power", "set-fixed-performance-mode-enabled"] and len(arguments) == 3:
    with changing() as state:
        if not state["fixed_performance_supported"]:
            refuse("Fixed performance mode is not supported on this device", 255)
        state["fixed_performance"] = arguments[2] == "true"
else:
    refuse(f"cmd: Can't find service: {arguments[0] if arguments else ''}", 20)
