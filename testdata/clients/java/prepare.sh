#!/bin/sh
# Makes the sample app's jars that the test packages deploy. Usage: ./prepare.sh [folder]
# The folder is by default the one that the tests expect; with another one, run them with -Dskipper.apps=file://<folder>
set -eu
apps=${1:-/tmp/java-client-check/apps}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
javac --release 11 -d "$work/classes" "$here/src/app/SampleApp.java"
jar --create --file "$work/sample-app.jar" --main-class SampleApp -C "$work/classes" .
mkdir -p "$apps"
for version in 1.0.0 1.1.0 2.0.0; do
  # a rename, so that an app that still runs keeps its old jar
  cp "$work/sample-app.jar" "$apps/.sample-app-$version.jar.$$"
  mv "$apps/.sample-app-$version.jar.$$" "$apps/sample-app-$version.jar"
done
ls "$apps"/sample-app-*.jar
