#!/bin/sh
# Runs the published Java client against bin/skiff, on a server of its own with a free port and a temporary folder; nothing
# is left behind but Maven's own cache. It needs bin/skiff (make build), a JDK and Maven, and ends with Maven's exit code.
# Arguments go to Maven.
set -eu

here=$(cd "$(dirname "$0")" && pwd -P)
skiff=$(cd "$here/../../.." && pwd -P)/bin/skiff
server=

for tool in "$skiff" java javac jar mvn; do
	command -v "$tool" >/dev/null || {
		echo "$tool is missing: the check needs bin/skiff (make build), a JDK and Maven" >&2
		exit 1
	}
done

# What the user's own servers are told must not reach this one.
for name in $(env | sed -n 's/^\(\(SKIFF\|SPRING\|SERVER\|MANAGEMENT\|LOGGING\)_[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$name"; done

tmp=$(mktemp -d)
tmp=$(cd "$tmp" && pwd -P)

cleanup() {
	code=$?
	trap - EXIT INT TERM
	if [ -n "$server" ]; then
		kill "$server" 2>/dev/null && wait "$server" 2>/dev/null || :
	fi
	# Applications outlive the server; those of a check that failed are known by the jar they run.
	for line in /proc/[0-9]*/cmdline; do
		if tr '\0' '\n' 2>/dev/null <"$line" | grep -q "^$tmp/apps/"; then
			pid=${line#/proc/}
			kill -9 "${pid%/cmdline}" 2>/dev/null || :
		fi
	done
	if [ "$code" -ne 0 ] && [ -s "$tmp/server.log" ]; then
		printf '\nThe end of the log of the server:\n' >&2
		tail -n 20 "$tmp/server.log" >&2
	fi
	rm -rf "$tmp"
	exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

"$here/prepare.sh" "$tmp/apps" >/dev/null
cp -R "$here/pom.xml" "$here/src" "$tmp" # Maven writes its results beside the sources
cd "$tmp"

: >server.out
SKIFF_HEALTHCHECK_PERIOD=1s "$skiff" server --port 0 --address 127.0.0.1 --data-dir "$tmp/data" \
	>>server.out 2>server.log &
server=$!
tries=0
until url=$(sed -n 's/^skiff .* listens on //p' server.out) && [ -n "$url" ]; do
	tries=$((tries + 1))
	if ! kill -0 "$server" 2>/dev/null || [ "$tries" -ge 100 ]; then
		echo 'the server does not say where it listens' >&2
		exit 1
	fi
	sleep 0.2 2>/dev/null || sleep 1
done

version=$("$skiff" version)
version=${version#skiff }
mvn -B -ntp test "-Dskipper.uri=$url/api" "-Dskipper.apps=file://$tmp/apps" \
	-Dskipper.server=skiff '-Dskipper.shell=skiff shell' "-Dskipper.server.version=$version" "$@"
