package edgegap

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/edgegap"
)

// fault turns what the client says into an error of deployers with one sentence that says what was to be done.
func fault(doing string, err error) error {
	if err == nil {
		return nil
	}
	kind, hint := deployer.ErrUnavailable, ""
	switch edgegap.KindOf(err) {
	case edgegap.KindUnauthorized:
		kind, hint = deployer.ErrDenied, "; check the token of the account"
	case edgegap.KindRateLimited:
		kind = deployer.ErrRateLimited
	case edgegap.KindNotFound, edgegap.KindGone:
		kind = deployer.ErrNotFound
	case edgegap.KindConflict:
		kind = deployer.ErrExists
	case edgegap.KindImage:
		kind, hint = deployer.ErrInvalid, "; check the image, its tag and the login of its registry"
	case edgegap.KindUnallocated:
		kind, hint = deployer.ErrQuota, "; choose other places, or try again later"
	case edgegap.KindInvalid:
		kind = deployer.ErrInvalid
		if e, ok := asError(err); ok && e.Status == http.StatusUnprocessableEntity {
			kind = deployer.ErrQuota
		} else if limited(err) {
			kind, hint = deployer.ErrQuota, "; remove what is not needed, or raise the limit of the organization"
		}
	case edgegap.KindUnavailable, edgegap.KindCancelled:
		if edgegap.MayHaveHappened(err) {
			kind = deployer.ErrAmbiguous
		}
	}
	var e *edgegap.Error
	if !errors.As(err, &e) {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return deployer.Errorf(deployer.ErrUnavailable, "%s: %w", doing, err)
		}
		return err
	}
	message := e.Message
	switch {
	case strings.HasPrefix(message, "<"): // a gateway's page
		message = "Edgegap answered " + strconv.Itoa(e.Status)
	case e.Status != 0:
		message = "Edgegap said: " + message
	}
	return deployer.Errorf(kind, "%s: %w%s", doing, said{message, e.Unwrap()}, hint)
}

// said is what the platform said, without the call's own words; the cause stays in reach.
type said struct {
	text  string
	cause error
}

func (s said) Error() string { return s.text }
func (s said) Unwrap() error { return s.cause }

// limited tells a refusal that is about the organization's limits and not about the request.
func limited(err error) bool {
	var e *edgegap.Error
	if !errors.As(err, &e) || e.Status == 0 {
		return false
	}
	text := strings.ToLower(e.Message)
	return strings.Contains(text, "limit of") || strings.Contains(text, "quota")
}

// gone tells that the platform knows no such deployment, or that it has ended.
func gone(err error) bool {
	kind := edgegap.KindOf(err)
	return kind == edgegap.KindNotFound || kind == edgegap.KindGone
}

// problems makes one error of many.
func problems(all []error) error {
	if len(all) == 0 {
		return nil
	}
	return deployer.Errorf(deployer.ErrInvalid, "%w", errors.Join(all...))
}

func asError(err error) (*edgegap.Error, bool) {
	var e *edgegap.Error
	ok := errors.As(err, &e)
	return e, ok
}
