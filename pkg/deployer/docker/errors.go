package docker

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// call says what may have happened when no answer came.
type call bool

const (
	reading  call = false
	changing call = true
)

// fault turns an error of the engine into one of deployers, with a sentence that says what was to be done.
func (d *Deployer) fault(c call, doing string, err error) error {
	if err == nil {
		return nil
	}
	kind := deployer.ErrUnavailable
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		if c == changing {
			kind = deployer.ErrAmbiguous
		}
		return deployer.Errorf(kind, "%s: the engine %s does not answer in time: %w", doing, d.host, err)
	case client.IsErrConnectionFailed(err):
		if c == changing && !dialFailed(err) {
			kind = deployer.ErrAmbiguous
		}
		return deployer.Errorf(kind, "%s: %w", doing, said(err))
	case errdefs.IsInvalidArgument(err) && c == changing: // a question is ours: it is the engine that cannot be used
		kind = deployer.ErrInvalid
	case errdefs.IsUnauthorized(err), errdefs.IsPermissionDenied(err):
		kind = deployer.ErrDenied
	case errdefs.IsNotFound(err):
		kind = deployer.ErrNotFound
	case c == changing && (errdefs.IsConflict(err) || errdefs.IsAlreadyExists(err)):
		kind = deployer.ErrExists
	}
	return deployer.Errorf(kind, "%s: %w", doing, said(err))
}

// dialFailed tells that a request never left.
func dialFailed(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) && op.Op != "dial" || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return false
	}
	return !strings.Contains(err.Error(), "error during connect")
}

// answer is an error in one line, with its cause in reach.
type answer struct{ error }

func (a answer) Error() string { return oneLine(a.error.Error()) }
func (a answer) Unwrap() error { return a.error }

func said(err error) error { return answer{err} }

// oneLine is a text in one line of at most 500 bytes, without the words that every answer of an engine begins with.
func oneLine(text string) string {
	text = strings.TrimPrefix(strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " "), "Error response from daemon: ")
	if len(text) > 500 {
		text = strings.ToValidUTF8(text[:500], "") + " …"
	}
	return text
}
