#!/bin/sh
# Leaves a trace and ends at once.
echo "$INSTANCE_INDEX" >> "$TRACE"
