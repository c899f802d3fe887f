#!/bin/sh
# Merges manifests and links resources, as the Android Gradle Plugin does, with its own merger and aapt2.
#
# Usage: resources.sh SOURCES TARGET NAMESPACE [EXPLODED_AARS]
#   SOURCES  src/main of the application
#   TARGET   gets AndroidManifest.xml, resources.ap_, aapt-rules.pro, generated/r/**/R.java
#   EXPLODED_AARS  folder of unpacked libraries whose manifests, resources and R classes are taken in
# Environment: MERGER_CLASSPATH, FRAMEWORK (a jar with Android's resources), MIN_SDK, TARGET_SDK, VERSION_CODE, VERSION_NAME
set -eu
sources=$1 target=$2 namespace=$3 exploded=${4:-}
mkdir -p "$target/compiled"
# Whatever changes the result: nothing is done anew where nothing changed.
stamp=$( (find "$sources/res" "$sources/AndroidManifest.xml" -type f -exec sha256sum {} + | sort; cat "$0"
  echo "$namespace $FRAMEWORK $MIN_SDK $TARGET_SDK $VERSION_CODE $VERSION_NAME"; ls "$exploded" 2>/dev/null || true) | sha256sum | cut -c1-64)
[ "$(cat "$target/resources.stamp" 2>/dev/null || true)" = "$stamp" ] && exit 0
rm -rf "$target/generated/r" "$target/resources.ap_"

libraries="" packages=""
if [ -n "$exploded" ]; then
  for library in "$exploded"/*; do
    libraries="$libraries${libraries:+:}$library/AndroidManifest.xml"
    # An R class is wanted for each library that has resources of its own: those that R.txt lists.
    [ -s "$library/R.txt" ] || continue
    package=$(sed -n 's/.*package="\([^"]*\)".*/\1/p' "$library/AndroidManifest.xml" | head -1)
    packages="$packages${packages:+:}$package"
  done
fi

# The namespace is in the build files, as Gradle wants it; the merger wants it in the manifest.
sed "s|<manifest |<manifest package=\"$namespace\" |" "$sources/AndroidManifest.xml" > "$target/main-manifest.xml"
java -cp "$MERGER_CLASSPATH" com.android.manifmerger.Merger --remove-tools-declarations --main "$target/main-manifest.xml" \
  ${libraries:+--libs "$libraries"} \
  --property "MIN_SDK_VERSION=$MIN_SDK" --property "TARGET_SDK_VERSION=$TARGET_SDK" \
  --property "VERSION_CODE=$VERSION_CODE" --property "VERSION_NAME=$VERSION_NAME" \
  --placeholder "applicationId=$namespace" --log WARNING --out "$target/AndroidManifest.xml"

set --
if [ -n "$exploded" ]; then
  for library in "$exploded"/*; do
    [ -d "$library/res" ] && [ -n "$(find "$library/res" -type f | head -1)" ] || continue
    compiled="$target/compiled/$(basename "$library").zip"
    [ -f "$compiled" ] || aapt2 compile --dir "$library/res" -o "$compiled"
    set -- "$@" "$compiled"
  done
fi
aapt2 compile --dir "$sources/res" -o "$target/compiled/main.zip"
mkdir -p "$target/generated/r"
# Libraries first: what the application defines too, it overlays.
for compiled in "$@"; do overlays="${overlays:-} -R $compiled"; done
# Debian's aapt2 is older than <property>: it warns of it and keeps it.
# shellcheck disable=SC2086
aapt2 link -I "$FRAMEWORK" --manifest "$target/AndroidManifest.xml" -o "$target/resources.ap_" --java "$target/generated/r" \
  --proguard "$target/aapt-rules.pro" --auto-add-overlay --no-version-vectors \
  --warn-manifest-validation \
  ${packages:+--extra-packages "$packages"} ${overlays:-} -R "$target/compiled/main.zip"
echo "$stamp" > "$target/resources.stamp"
