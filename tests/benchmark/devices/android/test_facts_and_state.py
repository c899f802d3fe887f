"""What Android's programs print of the phone and of its state, of versions 8 to 15, as values."""

from __future__ import annotations

import pytest

from pocketclip.benchmark.platforms.android.keyguard import parse_locked
from pocketclip.benchmark.platforms.android.power import Battery, parse_battery, parse_power_saver, parse_stay_on
from pocketclip.benchmark.platforms.android.properties import android_facts, parse_properties
from pocketclip.benchmark.platforms.android.storage import parse_free_bytes
from pocketclip.benchmark.platforms.android.thermal import parse_thermal

PIXEL_8_API_35 = """\
[ro.board.platform]: [zuma]
[ro.boot.qemu]: []
[ro.build.version.release]: [15]
[ro.build.version.sdk]: [35]
[ro.product.cpu.abilist]: [arm64-v8a]
[ro.product.model]: [Pixel 8]
[ro.serialno]: [37281FDJH00123]
[ro.soc.model]: [Tensor G3]
[persist.sys.locale]: [en-GB]
"""
# Android 8 had no ro.soc.model; lines of a shell over a terminal end in two characters.
GALAXY_S8_API_26 = (
    "[ro.board.platform]: [exynos8895]\r\n[ro.build.version.release]: [8.0.0]\r\n[ro.build.version.sdk]: [26]\r\n"
    "[ro.product.cpu.abilist]: [arm64-v8a,armeabi-v7a,armeabi]\r\n[ro.product.model]: [SM-G950F]\r\n"
    "[ro.boot.serialno]: [ce0417148a1b2c3d]\r\n"
)
EMULATOR_API_30 = """\
[ro.build.version.release]: [11]
[ro.build.version.sdk]: [30]
[ro.kernel.qemu]: [1]
[ro.product.cpu.abilist]: [x86_64,x86,arm64-v8a]
[ro.product.model]: [sdk_gphone_x86_64]
[ro.serialno]: [EMULATOR30X5X5X0]
"""


def test_properties() -> None:
    pixel = android_facts(parse_properties(PIXEL_8_API_35))
    assert (pixel.platform, pixel.model, pixel.soc) == ("Android 15 (API 35)", "Pixel 8", "Tensor G3")
    assert (pixel.abis, pixel.serial, pixel.emulated) == (("arm64-v8a",), "37281FDJH00123", False)
    galaxy = android_facts(parse_properties(GALAXY_S8_API_26))
    assert (galaxy.release, galaxy.api_level, galaxy.soc) == ("8.0.0", 26, "exynos8895")
    assert galaxy.abis == ("arm64-v8a", "armeabi-v7a", "armeabi")
    assert galaxy.serial == "ce0417148a1b2c3d"
    assert android_facts(parse_properties(EMULATOR_API_30)).emulated
    # A board answers `getprop: not found`.
    nothing = android_facts(parse_properties("sh: getprop: not found\n"))
    assert (nothing.release, nothing.api_level, nothing.abis, nothing.soc) == (None, None, (), None)


# Android 10 to 15; the cached ones are of minutes ago.
THERMAL_API_34 = """\
IsStatusOverride: false
ThermalEventListeners:
\tcallbacks: 3
\tkilled: false
\tbroadcasts count: -1
Thermal Status: 1
Cached temperatures:
\tTemperature{mValue=91.0, mType=0, mName=BIG, mStatus=0}
\tTemperature{mValue=32.899002, mType=3, mName=VIRTUAL-SKIN, mStatus=1}
HAL Ready: true
HAL connection:
\tThermalHAL 2.0 connected: yes
Current temperatures from HAL:
\tTemperature{mValue=48.0, mType=0, mName=BIG, mStatus=0}
\tTemperature{mValue=51.5, mType=1, mName=G3D, mStatus=0}
\tTemperature{mValue=47.0, mType=0, mName=LITTLE, mStatus=0}
\tTemperature{mValue=55.0, mType=5, mName=usbc-therm-adc, mStatus=0}
\tTemperature{mValue=NaN, mType=9, mName=TPU, mStatus=0}
\tTemperature{mValue=33.1, mType=2, mName=battery, mStatus=0}
Current cooling devices from HAL:
\tCoolingDevice{mValue=0, mType=2, mName=thermal-cpufreq-2}
Temperature static thresholds from HAL:
\tTemperatureThreshold{type=3, name=VIRTUAL-SKIN, hotThrottlingThresholds=[NaN, 39.0, 43.0], vrThrottlingThreshold=NaN}
"""
THERMAL_API_29_WITHOUT_HAL = """\
IsStatusOverride: true
Thermal Status: 3
Cached temperatures:
HAL Ready: false
"""


def test_thermal() -> None:
    told = parse_thermal(THERMAL_API_34)
    assert (told.status, told.processor_celsius) == (1, 51.5)
    assert [sensor.name for sensor in told.sensors] == ["BIG", "G3D", "LITTLE", "usbc-therm-adc", "battery"]
    overridden = parse_thermal(THERMAL_API_29_WITHOUT_HAL)
    assert (overridden.status, overridden.sensors, overridden.processor_celsius) == (3, (), None)
    absent = parse_thermal("Can't find service: thermalservice\n")
    assert (absent.status, absent.processor_celsius) == (None, None)
    assert parse_thermal("Thermal Status: 99\n").status is None


BATTERY_API_26 = """\
Current Battery Service state:
  AC powered: false
  USB powered: true
  Wireless powered: false
  Max charging current: 500000
  Max charging voltage: 5000000
  Charge counter: 2714000
  status: 2
  health: 2
  present: true
  level: 97
  scale: 100
  voltage: 4319
  temperature: 281
  technology: Li-ion
"""
BATTERY_API_35 = BATTERY_API_26.replace("USB powered: true", "USB powered: false").replace(
    "  Max charging current", "  Dock powered: true\n  Max charging current"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BATTERY_API_26, Battery(97, True)),
        (BATTERY_API_35, Battery(97, True)),
        (BATTERY_API_35.replace("Dock powered: true", "Dock powered: false"), Battery(97, False)),
        (BATTERY_API_26.replace("level: 97", "level: 120").replace("scale: 100", "scale: 200"), Battery(60, True)),
        (BATTERY_API_26.replace("level: 97", "level: 970"), Battery(None, True)),
        (BATTERY_API_26.replace("scale: 100", "scale: 0"), Battery(None, True)),
        # After `dumpsys battery unplug` the first line says so.
        (
            "  (UPDATES STOPPED -- use 'reset' to restart)\n  AC powered: false\n  USB powered: false\n  level: 5\n",
            Battery(5, False),
        ),
        ("Can't find service: battery\n", Battery(None, None)),
        ("", Battery(None, None)),
    ],
)
def test_battery(text: str, expected: Battery) -> None:
    assert parse_battery(text) == expected


def test_settings() -> None:
    assert [parse_power_saver(text) for text in ("1\n", "0\n", "null\n", "", "x")] == [True, False, False, None, None]
    assert [parse_stay_on(text) for text in ("3\n", "0", "null\n", "", "-1")] == [3, 0, 0, None, None]


TRUST_API_34 = """\
Trust manager state:
 User "Owner" (id=0, flags=0x4c13) (current): trustState=UNTRUSTED, trustManaged=1, deviceLocked=1, \
isActiveUnlockRunning=0, strongAuthRequired=0x0
   Enabled agents:
    com.google.android.gms/.auth.trustagent.GoogleTrustAgent
     bound=1, connected=1, managingTrust=1, trusted=0
   Events:
 User "Work" (id=10, flags=0x1030): trustState=UNTRUSTED, trustManaged=0, deviceLocked=0, strongAuthRequired=0x0
"""
TRUST_API_26 = """\
Trust manager state:
 User "Owner" (id=0, flags=0x13) (current): trusted=0, trustManaged=0, deviceLocked=0, strongAuthRequired=0x0
   Enabled agents:
   Events:
"""
POLICY_API_26 = """\
WINDOW MANAGER POLICY STATE (dumpsys window policy)
    mSafeMode=false mSystemReady=true mSystemBooted=true
    mShowingLockscreen=true mShowingDream=false mDreamingLockscreen=true
    KeyguardServiceDelegate
      showing=true
      showingAndNotOccluded=true
      inputRestricted=true
      occluded=false
      secure=true
"""
POLICY_API_33 = """\
WINDOW MANAGER POLICY STATE (dumpsys window policy)
    KeyguardServiceDelegate
      showing=false
      inputRestricted=false
      occluded=false
      secure=true
      KeyguardStateMonitor
        mIsShowing=false
        mSimSecure=false
        mInputRestricted=false
"""


@pytest.mark.parametrize(
    ("trust", "policy", "expected"),
    [
        (TRUST_API_34, "", True),
        (TRUST_API_34.replace("deviceLocked=1", "deviceLocked=0"), POLICY_API_26, False),
        (TRUST_API_26, POLICY_API_26, False),
        ("", POLICY_API_26, True),
        # A swipe is enough.
        ("", POLICY_API_26.replace("secure=true", "secure=false"), False),
        ("", POLICY_API_33, False),
        ("Can't find service: trust\n", "", None),
    ],
)
def test_keyguard(trust: str, policy: str, expected: bool | None) -> None:
    assert parse_locked(trust, policy) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # stat -f -c '%a %S'
        ("26544105 4096\n", 26544105 * 4096),
        # toybox
        (
            "Filesystem       1K-blocks     Used Available Use% Mounted on\n"
            "/dev/block/dm-50 112718848 12345678 100242098  11% /data/user/0\n",
            100242098 * 1024,
        ),
        # A name that takes a line of its own, and busybox's heading
        (
            "Filesystem           1K-blocks      Used Available Use% Mounted on\n"
            "/dev/block/bootdevice/by-name/userdata\n                      53486592  9000000  44486592  17% /data\n",
            44486592 * 1024,
        ),
        ("Filesystem 1K-blocks Used Available Use% Mounted on\ntmpfs 256 256 0 100% /data/local/tmp/small\n", 0),
        ("df: /data/x: No such file or directory\n", None),
        ("", None),
    ],
)
def test_free_space(text: str, expected: int | None) -> None:
    assert parse_free_bytes(text) == expected
