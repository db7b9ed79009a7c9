package deployer

import (
	"context"
	"time"
)

// LogReader is a deployer that gives the output of instances line by line; found by type assertion. What only knows
// Logs is read whole instead.
type LogReader interface {
	// ReadLogs hands each line to emit, those of one instance and stream in their order, and ends when there are no
	// more; with Follow when the context ends or nothing of the deployment is left. An error of emit ends it and is
	// returned. Nothing there yet: no lines, no error. ErrNotFound names an instance that is not of this deployment.
	// ErrUnsupported, before any line: ask Logs instead, as of a deployer that is no LogReader.
	ReadLogs(ctx context.Context, h Handle, o LogOptions, emit func(LogLine) error) error
}

// LogOptions choose lines. Their zero value is all that is kept, of all instances.
type LogOptions struct {
	Instance string    // guid or id of one instance, as in the status; empty: all
	Tail     int       // the last lines of each stream of each instance; 0: all that is kept, negative: none
	Since    time.Time // lines written at or after it, where the platform knows times; zero: all
	Follow   bool      // go on with what is written from now on, also by instances that are new
}

// LogLine is one line of output without its end. Lines longer than 64 KiB are cut into several.
type LogLine struct {
	Instance string    // id of the instance, as in the status
	Stream   string    // stdout or stderr
	Time     time.Time // zero where the platform does not know it
	Text     string
}
