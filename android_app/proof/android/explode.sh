#!/bin/sh
# Unpacks TARGET/aars/*.aar to TARGET/exploded/NAME/, and all their classes and those of TARGET/jars to TARGET/classes.
set -eu
target=$1
mkdir -p "$target/classes"
for aar in "$target"/aars/*.aar; do
  folder="$target/exploded/$(basename "$aar" .aar)"
  [ -d "$folder" ] && continue
  mkdir -p "$folder.part"
  unzip -qo "$aar" -d "$folder.part"
  # Test libraries bring a copy of R.txt and nothing else in places: a library without classes is fine.
  if [ -f "$folder.part/classes.jar" ]; then unzip -qo "$folder.part/classes.jar" -d "$target/classes" || [ $? -eq 1 ]; fi
  mv "$folder.part" "$folder"
done
for jar in "$target"/jars/*.jar; do
  [ -f "$jar" ] || continue
  unzip -qo "$jar" -d "$target/classes"
done
