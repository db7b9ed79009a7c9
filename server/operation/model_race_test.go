//go:build race

package operation

// modelRuns is how many operations the model walks; the race detector makes each ten times as long.
const modelRuns = 10_000
