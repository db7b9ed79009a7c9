package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// usageError says that the command line is wrong.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// failure says that what was asked for was tried and did not come to its end, whatever code its cause has.
type failure struct{ error }

func failuref(format string, args ...any) error { return failure{fmt.Errorf(format, args...)} }

// coded is an error of another service than a server of skiff: it has a code, and says itself what to do next.
type coded struct {
	error

	code skipper.Code
}

// ExitCode gives the exit code of an error; skiff --help lists them.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return 2
	}
	if _, ok := errors.AsType[failure](err); ok {
		return 1
	}
	if e, ok := errors.AsType[coded](err); ok {
		return exitCodeOf(e.code)
	}
	return exitCodeOf(skipper.CodeOf(err))
}

func exitCodeOf(code skipper.Code) int {
	switch code {
	case skipper.CodeNotFound, skipper.CodeReleaseNotFound:
		return 3
	case skipper.CodeConflict, skipper.CodeBusy, skipper.CodePackageDelete, skipper.CodeReleaseUpgrade:
		return 4
	case skipper.CodeTimeout:
		return 5
	case skipper.CodeUnavailable:
		return 6
	case skipper.CodeInvalid, skipper.CodeTooLarge, skipper.CodeUnsupported,
		skipper.CodeUnauthorized, skipper.CodeForbidden:
		return 7
	case skipper.CodeCancelled, skipper.CodeInternal:
		return 1
	}
	return 1
}

// report writes an error as one line with what to do next, and for a wrong command line how it is used.
func report(w io.Writer, cmd *cobra.Command, err error) {
	if err == nil {
		return
	}
	sentence, next, details := Describe(err)
	if next != "" {
		sentence = strings.TrimSuffix(sentence, ".") + "; " + next
	}
	// Nothing can be done when standard error itself is gone: the exit code still tells.
	_, _ = fmt.Fprintf(w, "error: %s\n%s", sentence, details)
	if _, ok := errors.AsType[usageError](err); ok {
		_, _ = fmt.Fprintf(w, "usage: %s\n       '%s --help' explains, with an example\n", cmd.UseLine(), cmd.CommandPath())
	}
}

// Describe says an error in one sentence, what to do next where the sentence does not say it, and, in lines of their own,
// what is known of its cause.
func Describe(err error) (sentence, next, details string) {
	return strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", " "), hint(err), causeLines(err)
}

// hint says what to do next, where the error does not say it already.
func hint(err error) string {
	e, ok := errors.AsType[*skipper.Error](err)
	if !ok {
		return ""
	}
	//nolint:exhaustive // the other errors speak for themselves
	switch e.Code {
	case skipper.CodeReleaseNotFound:
		return "'skiff release list' shows the releases"
	case skipper.CodeNotFound:
		return "'skiff package list' and 'skiff platform list' show what there is"
	case skipper.CodeBusy:
		return "an operation runs on it: wait for its end, or end it with 'skiff release cancel'"
	case skipper.CodePackageDelete:
		return "delete these releases first with 'skiff release delete'"
	case skipper.CodeReleaseUpgrade:
		return "--force upgrades all the same"
	case skipper.CodeInternal:
		return "the log of the server has the details"
	}
	return ""
}
