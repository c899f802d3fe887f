"""`settings get|put NAMESPACE NAME [VALUE]`."""

from __future__ import annotations

from android_state import changing, log_call, phone, refuse, services

arguments = log_call("settings")
if len(arguments) == 3 and arguments[0] == "get":
    if arguments[1:] == ["global", "low_power"]:
        print({True: 1, False: 0, None: "null"}[services()["power_saver"]])
    else:
        print(phone()["settings"].get(arguments[2], "null"))
elif len(arguments) == 4 and arguments[0] == "put":
    with changing() as state:
        state["settings"][arguments[2]] = arguments[3]
else:
    refuse(f"Invalid command: {' '.join(arguments)}", 255)
