"""What a farm's phone carries out by itself: the app's protocol as one shell script, since nobody holds its cable.

The script starts the measuring app once for each line of `launches.txt`, as `bench` does over adb, and copies whatever
the app says and writes to a folder of results. It judges nothing: that is done where the records are made.
"""

from __future__ import annotations

from pocketclip.benchmark.devices.shell_facts import facts_line
from pocketclip.benchmark.farms.phone_package import PhonePackage
from pocketclip.benchmark.phone_app.android_app import COMPONENT, shared_folder
from pocketclip.benchmark.phone_app.announced import EXITS_LINE
from pocketclip.benchmark.phone_app.apk import PACKAGE
from pocketclip.benchmark.runners.agent_archive import digest
from pocketclip.benchmark.transport.device_paths import below

SCRIPT_NAME, LAUNCHES_NAME = "phone.sh", "launches.txt"
# Files of results: of the phone, and in a folder for each launch.
DEVICE_NAME, FACTS_FOLDER = "device.txt", "facts"
SAID_NAME, ERRORS_NAME, CODE_NAME, EXITS_NAME = "said.txt", "errors.txt", "code.txt", "exits.txt"
RESULT_NAME, OUTPUTS_NAME = "result.json", "outputs.bin"
# The folder of results on the farm's own computer, below that of its logs.
RESULTS_FOLDER = "pocketclip-out"

# From this version of Android on, the app's shared folder is its media folder.
_MEDIA_API = 29

# Toybox and mksh, which phones have, take all of it; so does a POSIX shell.
_SCRIPT = f"""# Arguments: the folder that was sent, an empty one for results, the name of our folder at the app,
# seconds that a launch may take, seconds of rest before each. A sixth one stands for /sdcard, in tests.
set -u
sent=$1 results=$2 name=$3 limit=$4 rest=$5
sdcard=${{6:-/sdcard}}

launch() {{
    kept=$1
    shift
    mkdir -p "$results/$kept"
    if command -v timeout > /dev/null; then guard="timeout $limit"; else guard=; fi
    $guard am instrument -w -r "$@" {COMPONENT} \\
        > "$results/$kept/{SAID_NAME}" 2> "$results/$kept/{ERRORS_NAME}" < /dev/null
    echo $? > "$results/$kept/{CODE_NAME}"
    grep -q 'INSTRUMENTATION_CODE: -1' "$results/$kept/{SAID_NAME}" || {{
        {EXITS_LINE} > "$results/$kept/{EXITS_NAME}" 2> /dev/null
        am force-stop {PACKAGE}
    }}
}}

mkdir -p "$results"
(
{facts_line()}
) > "$results/{DEVICE_NAME}"
svc power stayon true
input keyevent KEYCODE_WAKEUP
wm dismiss-keyguard
api=$(getprop ro.build.version.sdk)
if [ "${{api:-{_MEDIA_API}}}" -ge {_MEDIA_API} ]; then
    shared=$sdcard{shared_folder(_MEDIA_API).removeprefix("/sdcard")}
else
    shared=$sdcard{shared_folder(_MEDIA_API - 1).removeprefix("/sdcard")}
fi
# First of all: the app makes its shared folder itself.
launch {FACTS_FOLDER} -e action facts
cp "$shared/facts/{RESULT_NAME}" "$results/{FACTS_FOLDER}/"
mkdir -p "$shared/$name"
cp -r "$sent/models" "$sent/inputs" "$shared/$name/"
while read -r folder action sha256; do
    mkdir -p "$shared/$name/$folder"
    cp "$sent/requests/$folder.json" "$shared/$name/$folder/request.json"
    chmod -R a+rwX "$shared/$name" 2> /dev/null
    sleep "$rest"
    launch "$folder" -e action "$action" -e request "$name/$folder/request.json" -e request_sha256 "$sha256"
    for written in {RESULT_NAME} {OUTPUTS_NAME}; do
        if [ -f "$shared/$name/$folder/$written" ]; then cp "$shared/$name/$folder/$written" "$results/$folder/"; fi
    done
done < "$sent/{LAUNCHES_NAME}"
rm -rf "$shared/$name"
svc power stayon false
exit 0
"""


def script_files(package: PhonePackage) -> dict[str, bytes]:
    """The script and the list of its launches, as a package takes them along."""
    lines = [f"{start.folder} {start.action} {digest(start.request)}\n" for start in package.starts]
    return {
        below(package.token, SCRIPT_NAME): _SCRIPT.encode(),
        below(package.token, LAUNCHES_NAME): "".join(lines).encode(),
    }


def test_spec(name: str, *, limit_seconds: int, rest_seconds: int) -> str:
    """AWS Device Farm's test specification (YAML): its computer starts the script over adb and pulls the results.

    Args:
        name: of the folder that was sent, which the farm unpacks below /sdcard; a plain name.
        limit_seconds: what a launch may take.
        rest_seconds: before each launch.
    """
    sent, results = f"/sdcard/{name}", f"/sdcard/{name}-out"
    script = f"sh {sent}/{SCRIPT_NAME} {sent} {results} {name} {limit_seconds} {rest_seconds}"
    return f"""version: 0.1
android_test_host: amazon_linux_2
phases:
  test:
    commands:
      - 'adb -s "$DEVICEFARM_DEVICE_UDID" shell "{script}"'
  post_test:
    commands:
      - 'adb -s "$DEVICEFARM_DEVICE_UDID" pull {results} "$DEVICEFARM_LOG_DIR/{RESULTS_FOLDER}"'
      - 'adb -s "$DEVICEFARM_DEVICE_UDID" shell "rm -rf {sent} {results}"'
artifacts:
  - $DEVICEFARM_LOG_DIR
"""
