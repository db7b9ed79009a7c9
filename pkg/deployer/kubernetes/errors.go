package kubernetes

import (
	"context"
	"errors"
	"net"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// fault turns what the API server said into an error of deployers; doing says what was to be done.
func fault(doing string, err error) error {
	if err == nil {
		return nil
	}
	kind := deployer.ErrUnavailable
	hint := ""
	switch {
	case apierrors.IsUnauthorized(err):
		kind, hint = deployer.ErrDenied, "; check the credentials of the account"
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "exceeded quota"):
		kind, hint = deployer.ErrQuota, "; raise the quota of the namespace, or remove what is not needed"
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "being terminated"):
		kind = deployer.ErrUnavailable
	case apierrors.IsForbidden(err):
		kind, hint = deployer.ErrDenied, "; the account needs the Role that the README lists"
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsRequestEntityTooLargeError(err):
		kind = deployer.ErrInvalid
	case apierrors.IsAlreadyExists(err):
		kind = deployer.ErrExists
	case apierrors.IsNotFound(err):
		kind = deployer.ErrNotFound
	case apierrors.IsTooManyRequests(err):
		kind = deployer.ErrRateLimited
	}
	return deployer.Errorf(kind, "%s: %w%s", doing, err, hint)
}

// changing is fault for a call that changes something: without an answer it may have had its effect.
func changing(doing string, err error) error {
	if err == nil || answered(err) || refused(err) {
		return fault(doing, err)
	}
	return deployer.Errorf(deployer.ErrAmbiguous, "%s: %w", doing, err)
}

// answered says that the API server itself refused, before any effect.
func answered(err error) bool {
	return apierrors.ReasonForError(err) != "" && !apierrors.IsTimeout(err) && !apierrors.IsServerTimeout(err) &&
		!apierrors.IsInternalError(err) && !apierrors.IsServiceUnavailable(err) && !apierrors.IsUnexpectedServerError(err)
}

// refused says that no connection was made, so that nothing was asked.
func refused(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// ended is the error of a context that is over, before anything was asked.
func ended(ctx context.Context, doing string) error {
	if err := ctx.Err(); err != nil {
		return deployer.Errorf(deployer.ErrUnavailable, "%s: %w", doing, err)
	}
	return nil
}

// invalid makes one error of many.
func invalid(problems []error) error {
	if err := errors.Join(problems...); err != nil {
		return deployer.Errorf(deployer.ErrInvalid, "%w", err)
	}
	return nil
}
