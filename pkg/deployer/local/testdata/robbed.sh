#!/bin/sh
# Ends as a program does that finds its port taken: the one that the file TAKEN names.
while [ ! -e "$TAKEN" ]; do sleep 0.05; done
[ "$(cat "$TAKEN")" = "$PORT" ] && exit 1
exec sleep 1000000
