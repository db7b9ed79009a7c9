package deployer

import (
	"errors"
	"fmt"
)

// The errors of deployers, compared with errors.Is. They say what the server may do next.
var (
	ErrInvalid     = errors.New("invalid")              // the request can never work: do not retry
	ErrExists      = errors.New("already exists")       // the id is taken by another spec, or not by us
	ErrNotFound    = errors.New("not found")            // no such instance
	ErrQuota       = errors.New("no capacity")          // ports, pods, licences: do not retry at once
	ErrDenied      = errors.New("not allowed")          // our credentials are refused
	ErrUnsupported = errors.ErrUnsupported              // this platform cannot do it
	ErrUnavailable = errors.New("platform unavailable") // nothing happened: retry
	ErrRateLimited = errors.New("rate limited")         // nothing happened: retry later
	ErrAmbiguous   = errors.New("outcome not known")    // it may have happened: look before doing anything again
)

// Retry says whether the same call may succeed later: for ErrUnavailable, ErrRateLimited, ErrAmbiguous and for what is
// none of our errors (a deployer that says nothing about its failure is asked again, until the deadline).
func Retry(err error) bool {
	for _, final := range []error{ErrInvalid, ErrExists, ErrNotFound, ErrQuota, ErrDenied, ErrUnsupported} {
		if errors.Is(err, final) {
			return false
		}
	}
	return err != nil
}

// Errorf makes an error of one of the kinds above with a sentence of its own: kind is found by errors.Is and not printed.
func Errorf(kind error, format string, args ...any) error {
	return &kindError{kind: kind, err: fmt.Errorf(format, args...)}
}

type kindError struct{ kind, err error }

func (e *kindError) Error() string   { return e.err.Error() }
func (e *kindError) Unwrap() []error { return []error{e.kind, e.err} }
