"""`wm dismiss-keyguard`: it takes away what only wants a swipe."""

from __future__ import annotations

from android_state import changing, log_call, refuse

arguments = log_call("wm")
if arguments == ["dismiss-keyguard"]:
    with changing() as state:
        if state["keyguard"] == "swipe":
            state["keyguard"] = "none"
else:
    refuse("Window manager (window) commands:", 255)
