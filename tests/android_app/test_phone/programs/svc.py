"""`svc power stayon true|false|usb|ac|wireless`."""

from __future__ import annotations

from android_state import changing, log_call, refuse

_BITS = {"true": 7, "false": 0, "ac": 1, "usb": 2, "wireless": 4}

arguments = log_call("svc")
if len(arguments) == 3 and arguments[:2] == ["power", "stayon"] and arguments[2] in _BITS:
    with changing() as state:
        state["settings"]["stay_on_while_plugged_in"] = str(_BITS[arguments[2]])
else:
    refuse("Control the power manager\n\nusage: svc power stayon [true|false|usb|ac|wireless]", 0)
