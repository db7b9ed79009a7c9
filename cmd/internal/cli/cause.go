package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/skiff-project/skiff/pkg/client"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// causeError is an error that an application caused, with what its platform said of it.
type causeError struct {
	error

	cause skipper.Cause
}

// Unwrap gives the error itself.
func (e causeError) Unwrap() error { return e.error }

// because adds to an error what caused the end of an operation, where that is known.
func because(err error, o skipper.Operation) error {
	if err == nil || o.Error == nil || o.Error.Cause == nil {
		return err
	}
	return causeError{err, *o.Error.Cause}
}

// explained adds to the error of a command what caused the end of its operation. The error itself says enough when that
// cannot be had.
func explained(ctx context.Context, s *client.Client, err error) error {
	failed, ok := errors.AsType[*skipper.Error](err)
	if !ok || failed.OperationID == "" || failed.Code == skipper.CodeBusy {
		return err
	}
	o, unknown := s.Operation(ctx, failed.OperationID)
	if unknown != nil {
		return err
	}
	return because(err, o)
}

// causeLines writes a cause below its error: what is known of it, then the end of the log.
func causeLines(err error) string {
	e, ok := errors.AsType[causeError](err)
	if !ok {
		return ""
	}
	var out strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&out, "  %-13s%s\n", name+":", value)
		}
	}
	line("application", e.cause.App)
	line("instance", e.cause.Instance)
	line("reason", e.cause.Reason)
	if e.cause.ExitCode != nil {
		line("exit code", fmt.Sprint(*e.cause.ExitCode))
	}
	if len(e.cause.Log) > 0 {
		out.WriteString("  log:\n")
	}
	for _, l := range e.cause.Log {
		fmt.Fprintf(&out, "    %s\n", l)
	}
	return out.String()
}
