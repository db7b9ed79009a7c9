#!/bin/sh
# The main job of skiff with game servers on Edgegap, in under a minute: install, upgrade while matches run, a failing
# upgrade, rollback, delete. No account is needed: 'skiff edgegap fake' stands in for Edgegap. It uses free ports and a
# temporary folder, and leaves nothing behind. It needs bin/skiff (make build). After each step it asks the fake what runs
# there; it ends with a non-zero exit code, and names the step, when one does not end as said.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd -P)
skiff=$root/bin/skiff
packages=$root/testdata/packages
step="getting ready"
server=
fake=

# What the user's own servers and accounts are told must not reach these.
for name in $(env | sed -n 's/^\(\(SKIFF\|EDGEGAP\|ARBITRIUM\)_[A-Za-z0-9_]*\)=.*/\1/p'); do unset "$name"; done

tmp=$(mktemp -d)
tmp=$(cd "$tmp" && pwd -P)

# quit ends a process of ours by its id.
quit() {
	if [ -n "$1" ]; then
		kill "$1" 2>/dev/null && wait "$1" 2>/dev/null || :
	fi
}

cleanup() {
	code=$?
	trap - EXIT INT TERM
	quit "$server"
	quit "$fake"
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

# playing asks Edgegap: game servers of exactly these versions must run, and no others.
playing() {
	tries=0
	while
		found=$("$skiff" edgegap deployments | awk 'NR > 1 && $2 == "READY" { sub(/-.*/, "", $4); print $4 }' | sort | tr '\n' ' ')
		all=$("$skiff" edgegap deployments | awk 'NR > 1 && $2 != "TERMINATING"' | wc -l)
		[ "$found" != "${1:+$1 }" ] || [ "$all" -ne "$(printf '%s\n' "$1" | wc -w)" ]
	do
		tries=$((tries + 1))
		[ "$tries" -lt 75 ] || fail "what runs is \"$found\" ($all deployments), and should be \"$1\""
		pause
	done
	if [ -n "$1" ]; then
		printf '\n(Edgegap agrees: %s, and no other.)\n' "$1"
	else
		printf '\n(Edgegap agrees: nothing is left.)\n'
	fi
}

begin "Start something that behaves as Edgegap does, and a server with an account there"
[ -x "$skiff" ] || fail "there is no bin/skiff: run make build first"
cd "$tmp" # where no skiff.yml is
: >fake.out
printf '\n$ skiff edgegap fake\n'
"$skiff" edgegap fake >>fake.out &
fake=$!
tries=0
until grep -q '^export EDGEGAP_TOKEN=' fake.out; do
	kill -0 "$fake" 2>/dev/null || fail "the fake of Edgegap ended"
	tries=$((tries + 1))
	[ "$tries" -lt 100 ] || fail "the fake of Edgegap does not say how it is used"
	pause
done
cat fake.out
# shellcheck disable=SC1091
. ./fake.out
cat >skiff.yml <<END
healthcheck.period: 1s
platform.edgegap.accounts.live:
  connection: {base-url: $EDGEGAP_URL, token-env: EDGEGAP_TOKEN}
  poll-interval: 500ms
  poll-interval-idle: 1s
END
: >server.out
"$skiff" server --port 0 --address 127.0.0.1 --data-dir "$tmp/data" >>server.out 2>server.log &
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
shows '^live  *edgegap' platform list

begin "Upload three versions of a game server"
for version in 1.0.0 1.1.0 1.2.0; do run package upload "$packages/game-server-$version"; done

begin "Install it as the release match: one server near Montreal, one near Frankfurt"
cat >values.yml <<END
spec:
  deploymentProperties:
    spring.cloud.deployer.edgegap.drain-seconds: 10
END
run release install match --package-name game-server --package-version 1.0.0 --platform-name live --file values.yml --wait --timeout 30s
playing "1.0.0 1.0.0"

begin "Look at it: addresses for players, log, and what Edgegap itself says"
shows 'match\.arena-v1-0  *deployed  *.*\.pr\.edgegap\.net:' release status match
shows ' 1\.0\.0' release logs match
shows 'match-arena ' edgegap deployments --app match-arena
first=$("$skiff" edgegap deployments | awk 'NR == 2 { print $1 }')
shows 'Location:  *\(Montreal\|Frankfurt\)' edgegap status "$first"
run edgegap versions list match-arena

begin "Upgrade to 1.1.0 while matches run: new servers take over, the old ones are left for 10 seconds"
run release upgrade match --package-name game-server --package-version 1.1.0 --file values.yml --wait --timeout 30s
playing "1.0.0 1.0.0 1.1.0 1.1.0"
shows 'Draining:  *match\.arena-v1 of version 1, 2 instances run' release status match
printf '\n(One match comes to its end by itself.)\n'
run edgegap stop "$first"
playing "1.0.0 1.1.0 1.1.0"
printf '\n(The other one takes longer than it may.)\n'
playing "1.1.0 1.1.0"

begin "Upgrade to 1.2.0, whose image no registry has: it fails at once, and 1.1.0 stays"
printf '\n$ skiff release upgrade match --package-name game-server --package-version 1.2.0 --wait --timeout 30s\n'
code=0
"$skiff" release upgrade match --package-name game-server --package-version 1.2.0 --wait --timeout 30s || code=$?
[ "$code" -eq 1 ] || fail "the upgrade had to fail with exit code 1, and ended with $code"
shows '3 .* FAILED ' release history match
playing "1.1.0 1.1.0"

begin "Roll back to the first version"
run release rollback match --release-version 1 --wait --timeout 30s
shows '4 .* DEPLOYED  *game-server  *1\.0\.0 ' release history match
playing "1.0.0 1.0.0"

begin "Delete the release"
run release delete match
shows 'DELETED' release status match
playing ""
shows 'No deployment is like that' edgegap bulk-stop --app match-arena --yes
run edgegap apps delete match-arena

begin "Stop the server"
kill "$server"
wait "$server" || fail "the server ended with exit code $?"
server=
printf '\nAll steps ended as said.\n'
