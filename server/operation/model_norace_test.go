//go:build !race

package operation

// modelRuns is how many operations the model walks.
const modelRuns = 100_000
