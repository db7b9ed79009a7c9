#!/bin/sh
# The main job of skiff on real processes, in under a minute: upload, install, upgrade, a failing upgrade, rollback,
# delete, and the same with a jar where java is installed. It uses a free port and a temporary folder, and leaves nothing
# behind. It needs bin/skiff (make build) and go. It ends with a non-zero exit code, and names the
# step, when one does not end as said.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd -P)
skiff=$root/bin/skiff
packages=$root/testdata/packages
step="getting ready"
server=

# What the user's own servers are told must not reach this one.
for name in $(env | sed -n 's/^\(SKIFF_[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$name"; done

tmp=$(mktemp -d)
tmp=$(cd "$tmp" && pwd -P)

# left lists the processes of applications below the temporary folder, one "PID NAME" a line.
left() {
	for exe in /proc/[0-9]*/exe; do
		target=$(readlink "$exe" 2>/dev/null) || continue
		case $target in
		"$tmp"/*)
			pid=${exe#/proc/}
			echo "${pid%/exe} $(basename "${target% (deleted)}")"
			;;
		esac
	done
}

cleanup() {
	code=$?
	trap - EXIT INT TERM
	if [ -n "$server" ]; then
		[ "$code" -eq 0 ] || "$skiff" release delete jar >/dev/null 2>&1 || :
		kill "$server" 2>/dev/null && wait "$server" 2>/dev/null || :
	fi
	if [ "$code" -ne 0 ]; then
		left | while read -r pid _; do kill -9 "$pid" 2>/dev/null || :; done
		if [ -s "$tmp/server.log" ]; then
			printf '\nThe end of the log of the server:\n' >&2
			tail -n 20 "$tmp/server.log" >&2
		fi
	fi
	rm -rf "$tmp"
	exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

begin() {
	step=$1
	printf '\n\n== %s\n' "$step"
}

fail() {
	printf '\nThe demo failed at the step "%s": %s\n' "$step" "$1" >&2
	exit 1
}

# run says and does one command line of skiff, which must end with exit code 0.
run() {
	printf '\n$ skiff %s\n' "$*"
	"$skiff" "$@" || fail "skiff $* ended with exit code $?"
}

# shows is run, and the output must contain the first argument.
shows() {
	wanted=$1
	shift
	printf '\n$ skiff %s\n' "$*"
	output=$("$skiff" "$@") || fail "skiff $* ended with exit code $?"
	printf '%s\n' "$output"
	printf '%s\n' "$output" | tr '\t' ' ' | grep -q -e "$wanted" || fail "skiff $* does not show \"$wanted\""
}

# pause waits a moment between two looks.
pause() { sleep 0.2 2>/dev/null || sleep 1; }

# running asks the process table: exactly the applications named, and no others, must run.
running() {
	[ -d /proc/self ] || return 0
	tries=0
	while
		found=$(left | cut -d ' ' -f 2 | tr '\n' ' ')
		[ "$found" != "${1:+$1 }" ]
	do
		tries=$((tries + 1))
		[ "$tries" -lt 50 ] || fail "what runs is \"$found\", and should be \"$1\""
		pause
	done
	if [ -n "$1" ]; then
		printf '\n(The process table agrees: %s runs, and no other.)\n' "$1"
	else
		printf '\n(The process table agrees: nothing is left.)\n'
	fi
}

begin "Build the sample application in three versions and start a server"
[ -x "$skiff" ] || fail "there is no bin/skiff: run make build first"
mkdir "$tmp/apps"
for version in 1.0.0 1.1.0 1.2.0; do
	(cd "$root" && CGO_ENABLED=0 go build -ldflags "-X main.version=$version" -o "$tmp/apps/hello-$version" ./testdata/apps/hello) ||
		fail "the sample application does not build"
done
printf 'appBase: file://%s/apps\n' "$tmp" >"$tmp/values.yml"
cd "$tmp" # where no skiff.yml is
: >server.out
SKIFF_HEALTHCHECK_PERIOD=1s "$skiff" server --port 0 --address 127.0.0.1 --data-dir "$tmp/data" \
	>>server.out 2>server.log &
server=$!
tries=0
until url=$(sed -n 's/^skiff .* listens on //p' server.out) && [ -n "$url" ]; do
	kill -0 "$server" 2>/dev/null || fail "the server ended"
	tries=$((tries + 1))
	[ "$tries" -lt 100 ] || fail "the server does not say where it listens"
	pause
done
head -n 1 server.out
SKIFF_URL=$url
export SKIFF_URL
run health

begin "Upload the package hello 1.0.0"
run package upload "$packages/hello-1.0.0"
shows 'hello  *1\.0\.0' package list

begin "Install it as the release hello, and wait until it is healthy"
run release install hello --package-name hello --package-version 1.0.0 --file values.yml --wait --timeout 30s
running hello-1.0.0

begin "Look at it: status, manifest, log"
shows 'hello\.hello-v1-0  *deployed' release status hello
shows 'Hello from 1\.0\.0' release manifest hello
shows 'listening on' release logs hello

begin "Upload 1.1.0 and upgrade to it: the new one comes up first, then the old one goes"
run package upload "$packages/hello-1.1.0"
run release upgrade hello --package-name hello --package-version 1.1.0 --file values.yml --wait --timeout 30s
shows 'Upgrade complete' release history hello
running hello-1.1.0

begin "Upgrade to 1.2.0, which never becomes healthy: after 6 seconds it goes, and 1.1.0 keeps running"
run package upload "$packages/hello-1.2.0"
printf '\n$ skiff release upgrade hello --package-name hello --package-version 1.2.0 --file values.yml --wait --timeout 6s\n'
code=0
"$skiff" release upgrade hello --package-name hello --package-version 1.2.0 --file values.yml --wait --timeout 6s || code=$?
[ "$code" -eq 1 ] || fail "the upgrade had to fail with exit code 1, and ended with $code"
shows '3 .* FAILED ' release history hello
shows 'hello\.hello-v2-0  *deployed' release status hello --release-version 2
running hello-1.1.0

begin "Roll back to the first version"
run release rollback hello --release-version 1 --wait --timeout 30s
shows '4 .* DEPLOYED  *hello  *1\.0\.0 ' release history hello
running hello-1.0.0

begin "Delete the release"
run release delete hello
shows 'DELETED' release status hello
running ""

if command -v java >/dev/null 2>&1; then
	begin "The same with a jar, as Spring Boot makes them: one that crashes is started again"
	mkdir "$tmp/jars"
	for version in 1.0.0 1.1.0; do cp "$root/testdata/http/sample-app.jar" "$tmp/jars/hello-$version.jar"; done
	cat >jar.yml <<-END
		appBase: file://$tmp/jars
		spec:
		  deploymentProperties:
		    spring.cloud.deployer.memory: 64m
		    spring.cloud.deployer.local.startup-probe.path: /actuator/health
		    spring.cloud.deployer.local.restart-policy: on-failure
	END
	run release install jar --package-name hello --package-version 1.0.0 --file jar.yml --wait --timeout 60s
	shows 'listening on' release logs jar --tail 1
	pid=$("$skiff" release status jar -o json | sed -n 's/.*\\"pid\\":\\"\([0-9]*\)\\".*/\1/p')
	[ -n "$pid" ] || fail "the status does not tell the process id"
	printf '\n$ kill -9 %s\n' "$pid"
	kill -9 "$pid"
	tries=0
	until "$skiff" release status jar -o json | grep -q '\\"restarts\\":\\"1\\".*\\"state\\":\\"deployed\\"'; do
		tries=$((tries + 1))
		[ "$tries" -lt 300 ] || fail "it is not started again"
		pause
	done
	shows 'jar\.hello-v1-0  *deployed' release status jar
	run release upgrade jar --package-name hello --package-version 1.1.0 --file jar.yml --wait --timeout 60s
	shows 'jar\.hello-v2-0  *deployed' release status jar
	run release delete jar
fi

begin "Stop the server"
kill "$server"
wait "$server" || fail "the server ended with exit code $?"
server=
printf '\nAll steps ended as said.\n'
