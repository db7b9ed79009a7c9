package repository

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// fail makes an error of ours from what the database said; nil for nil, and ours as they are. The format names the
// work, as `load release "log"`. Of a foreign error only its text goes on, as the cause that is logged.
func (s *Store) fail(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*skipper.Error](err); ok {
		return err
	}
	code, reason := s.meaning(err)
	return &skipper.Error{Code: code, Message: fmt.Sprintf(format, args...) + ": " + reason, Err: cause(err)}
}

func (s *Store) meaning(err error) (skipper.Code, string) {
	switch {
	case errors.Is(err, context.Canceled):
		return skipper.CodeCancelled, "the request was given up"
	case errors.Is(err, context.DeadlineExceeded):
		return skipper.CodeTimeout, "the database did not answer in time"
	case s.closed.Load():
		return skipper.CodeUnavailable, "the store is closed, because the server stops"
	case errors.Is(err, gorm.ErrRecordNotFound):
		return skipper.CodeNotFound, "it is not there"
	case errors.Is(err, gorm.ErrForeignKeyViolated):
		return skipper.CodeNotFound, "what it belongs to is not there"
	case errors.Is(err, gorm.ErrDuplicatedKey):
		return skipper.CodeConflict, "it is there already"
	}
	if code, reason := s.dialect.code(err); code != "" {
		return code, reason
	}
	return skipper.CodeInternal, "the database refused it"
}

// cause keeps the text of a foreign error and drops its type; the errors of contexts stay what they are.
func cause(err error) error {
	for _, known := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			return known
		}
	}
	return errors.New(err.Error())
}

// instead gives another error where the database found nothing.
func instead(err error, missing *skipper.Error) error {
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return missing
	}
	return err
}

// stale says that the lease on an operation is lost.
func stale(operationID string) *skipper.Error {
	return skipper.Errorf(skipper.CodeConflict, "operation %q: %w", operationID, skipper.ErrStale)
}
