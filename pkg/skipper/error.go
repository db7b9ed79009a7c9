package skipper

import (
	"errors"
	"fmt"
	"strings"
)

// Code classifies an error for whoever has to act on it: the HTTP border, the client, the command line.
type Code string

// The codes. Those with a class of their own in Skipper's clients are marked; all others travel as SkipperException.
const (
	CodeInvalid         Code = "invalid"           // the caller's input is wrong
	CodeNotFound        Code = "not_found"         // something other than a release is not there
	CodeReleaseNotFound Code = "release_not_found" // ReleaseNotFoundException
	CodeConflict        Code = "conflict"          // refused in the present state of things
	CodeBusy            Code = "busy"              // another operation runs on the release
	CodePackageDelete   Code = "package_delete"    // PackageDeleteException
	CodeReleaseUpgrade  Code = "release_upgrade"   // ReleaseUpgradeException
	CodeUnsupported     Code = "unsupported"       // the platform or this server cannot do it
	CodeUnauthorized    Code = "unauthorized"      // who is asking is not known
	CodeForbidden       Code = "forbidden"         // who is asking may not
	CodeTooLarge        Code = "too_large"         // the input exceeds a limit
	CodeUnavailable     Code = "unavailable"       // something we depend on cannot be reached now
	CodeTimeout         Code = "timeout"           // it took longer than allowed
	CodeCancelled       Code = "cancelled"         // the caller, or a cancel, ended it
	CodeInternal        Code = "internal"          // our defect; the message is not shown
)

// Codes lists every code, for tables that must be complete.
func Codes() []Code {
	return []Code{
		CodeInvalid, CodeNotFound, CodeReleaseNotFound, CodeConflict, CodeBusy, CodePackageDelete, CodeReleaseUpgrade,
		CodeUnsupported, CodeUnauthorized, CodeForbidden, CodeTooLarge, CodeUnavailable, CodeTimeout, CodeCancelled, CodeInternal,
	}
}

// Error is an error with a code and a sentence for people.
type Error struct {
	Code    Code
	Message string // a sentence that names the field and the remedy; free of secrets
	Err     error  // the cause, logged and never shown; may be nil

	ReleaseName    string // with CodeReleaseNotFound
	ReleaseVersion int    // with CodeReleaseNotFound, when a version was asked for; else 0
	OperationID    string // with CodeBusy: the operation that runs
}

// Error gives the message, and the cause where the message does not tell it already.
func (e *Error) Error() string {
	if e.Err != nil && !strings.Contains(e.Message, e.Err.Error()) {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an error of a code; an error wrapped with %w is its cause.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Err: errors.Unwrap(err)}
}

// ReleaseNotFound says that no release has that name or, with a version above 0, not that version.
func ReleaseNotFound(name string, version int) *Error {
	message := fmt.Sprintf("Release with the name [%s] doesn't exist", name)
	if version > 0 {
		message = fmt.Sprintf("Release with the name [%s] and version [%d] doesn't exist", name, version)
	}
	return &Error{Code: CodeReleaseNotFound, Message: message, ReleaseName: name, ReleaseVersion: version}
}

// Busy says that a command was refused because another operation runs on the release.
func Busy(event string, operationID string) *Error {
	return &Error{
		Code: CodeBusy, OperationID: operationID,
		Message: "Statemachine is not in state ready to do " + event,
	}
}

// CodeOf gives the code of an error: CodeInternal when it has none.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}

// MessageOf gives the sentence of an error for people; a general one when it has none.
func MessageOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok && e.Code != CodeInternal {
		return e.Message
	}
	return "internal error; the server's log has the details"
}

// ErrStale says that a write was refused because its fencing token is old: another server, or nobody, has the lease now.
// Whoever meets it stops working on the operation at once.
var ErrStale = errors.New("the lease on the operation is lost")

// ErrChanged says that what a decision was based on has changed meanwhile: decide again.
var ErrChanged = errors.New("it changed meanwhile")

// ErrRepeated says that the client's key names an operation that is there already; the error around it has its id.
var ErrRepeated = errors.New("the request was made before")
