"""`dumpsys battery|thermalservice|power|trust|window policy|activity exit-info PACKAGE`, in the form of Android 14."""

from __future__ import annotations

from android_state import log_call, phone, services


def battery() -> None:
    """The battery's service."""
    told = services()
    print("Current Battery Service state:\n  AC powered: false")
    print(f"  USB powered: {str(bool(told['charging'])).lower()}\n  Wireless powered: false\n  Dock powered: false")
    print("  status: 2\n  health: 2\n  present: true")
    if told["battery_percent"] is not None:
        print(f"  level: {told['battery_percent']}")
    print("  scale: 100\n  temperature: 281\n  technology: Li-ion")


def thermal() -> None:
    """The service of temperatures."""
    told = services()
    print("IsStatusOverride: false\nThermalEventListeners:\n\tcallbacks: 1")
    print(f"Thermal Status: {told['thermal_status'] or 0}\nCached temperatures:\nHAL Ready: true")
    print("Current temperatures from HAL:")
    if told["temperature_celsius"] is not None:
        print(f"\tTemperature{{mValue={told['temperature_celsius']}, mType=0, mName=BIG, mStatus=0}}")
    print("\tTemperature{mValue=30.1, mType=2, mName=battery, mStatus=0}\nCurrent cooling devices from HAL:")


def power() -> None:
    """The service of power, as far as the screen goes."""
    on = phone()["screen_on"]
    print(f"POWER MANAGER (dumpsys power)\n\nPower Manager State:\n  mWakefulness={'Awake' if on else 'Asleep'}")


def trust() -> None:
    """Whether the device is locked."""
    locked = int(phone()["keyguard"] == "secure")
    print("Trust manager state:")
    print(
        ' User "Owner" (id=0, flags=0x4c13) (current): trustState=UNTRUSTED, trustManaged=0, '
        f"deviceLocked={locked}, isActiveUnlockRunning=0, strongAuthRequired=0x0"
    )
    print("   Enabled agents:\n   Events:")


def window() -> None:
    """The policy of windows, as far as the keyguard goes."""
    keyguard = phone()["keyguard"]
    print("WINDOW MANAGER POLICY STATE (dumpsys window policy)\n    KeyguardServiceDelegate")
    print(f"      showing={str(keyguard != 'none').lower()}\n      secure={str(keyguard == 'secure').lower()}")


def exits(package: str) -> None:
    """Why the processes of a package ended."""
    print("ACTIVITY MANAGER PROCESS EXIT INFO (dumpsys activity exit-info)")
    print(f"  package: {package}\n    Historical Process Exit for uid=10321")
    for number, each in enumerate(reversed(phone()["exits"])):
        print(f"        ApplicationExitInfo #{number}:")
        user = "realUid=10321 packageUid=10321 definingUid=10321 user=0"
        print(f"          timestamp={each['at']} pid={each['pid']} {user}")
        print(
            f"          process={package} reason={each['reason']} ({each['word']}) subreason=0 (UNKNOWN) "
            f"status={each['status']}"
        )
        print("          importance=125 pss=0.00 rss=0.00 description=null state=empty trace=null")


arguments = log_call("dumpsys")
match arguments:
    case ["battery"]:
        battery()
    case ["thermalservice"]:
        thermal()
    case ["power"]:
        power()
    case ["trust"]:
        trust()
    case ["window", "policy"]:
        window()
    case ["activity", "exit-info", name]:
        exits(name)
    case _:
        print(f"Can't find service: {arguments[0] if arguments else ''}")
