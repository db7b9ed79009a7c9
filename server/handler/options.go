package handler

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/skiff-project/skiff/pkg/skipper"
)

const headerIdempotencyKey = "Idempotency-Key"

// commandOptions reads how a command is to be taken: the parameters onConflict, healthGate and timeout, and the header
// Idempotency-Key. What is not there keeps its default.
func (r request) commandOptions() (skipper.CommandOptions, error) {
	var o skipper.CommandOptions
	if r.has("onConflict") {
		if o.OnConflict = skipper.OnConflict(r.query.Get("onConflict")); o.OnConflict == "" {
			return o, skipper.Errorf(skipper.CodeInvalid, "onConflict is empty; fail, queue or supersede is due")
		}
	}
	if r.has("healthGate") {
		gate := r.query.Get("healthGate")
		if gate != "true" && gate != "false" {
			return o, skipper.Errorf(skipper.CodeInvalid, "healthGate is %q; true or false is due", gate)
		}
		o.HealthGate = gate == "true"
	}
	if r.has("timeout") {
		ms, err := strconv.ParseInt(r.query.Get("timeout"), 10, 64)
		if err != nil {
			return o, skipper.Errorf(skipper.CodeInvalid, "timeout is %q; milliseconds are due, as 60000", r.query.Get("timeout"))
		}
		o.Timeout = &ms
	}
	if keys := r.Header.Values(headerIdempotencyKey); len(keys) > 0 {
		if len(keys) > 1 || keys[0] == "" {
			return o, skipper.Errorf(skipper.CodeInvalid, "Idempotency-Key must be given once and not be empty; a UUID serves well")
		}
		o.IdempotencyKey = keys[0]
	}
	return o, o.Check()
}

// operationFilter reads which operations are asked for: releaseName, and kind, outcome and state, each repeated or comma
// separated.
func (r request) operationFilter() (skipper.OperationFilter, error) {
	f := skipper.OperationFilter{ReleaseName: r.query.Get("releaseName")}
	var err error
	if f.Kinds, err = among(r, "kind", skipper.Kinds()); err != nil {
		return f, err
	}
	if f.Outcomes, err = among(r, "outcome", skipper.Outcomes()); err != nil {
		return f, err
	}
	f.States, err = among(r, "state", skipper.States())
	return f, err
}

// among reads values of a parameter that has only certain ones.
func among[T ~string](r request, parameter string, known []T) ([]T, error) {
	var found []T
	for value := range strings.SplitSeq(strings.Join(r.query[parameter], ","), ",") {
		switch v := T(strings.TrimSpace(value)); {
		case v == "":
		case !slices.Contains(known, v):
			return nil, skipper.Errorf(skipper.CodeInvalid, "%s is %q; one of %s is due", parameter, value,
				strings.Trim(fmt.Sprint(known), "[]"))
		case !slices.Contains(found, v):
			found = append(found, v)
		}
	}
	return found, nil
}
