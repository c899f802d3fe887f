"""`input keyevent KEYCODE_WAKEUP|KEYCODE_SLEEP`."""

from __future__ import annotations

from android_state import changing, log_call, refuse

arguments = log_call("input")
screen = {"KEYCODE_WAKEUP": True, "KEYCODE_SLEEP": False}
if len(arguments) == 2 and arguments[0] == "keyevent" and arguments[1] in screen:
    with changing() as state:
        state["screen_on"] = screen[arguments[1]]
else:
    refuse("Error: Unknown command", 255)
