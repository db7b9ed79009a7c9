package release

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// command is a request as it is kept with its operation: to begin one that was queued, to know it when it comes again
// under the same key, and to repeat it. One of the pointers is set, that of its kind.
type command struct {
	Install    *skipper.InstallRequest  `json:"install,omitempty"`
	PackageID  int64                    `json:"packageId,omitempty"` // with Install: this package, which has no identifier
	HealthGate bool                     `json:"healthGate,omitempty"`
	Timeout    *int64                   `json:"timeout,omitempty"` // with HealthGate, in milliseconds
	Upgrade    *skipper.UpgradeRequest  `json:"upgrade,omitempty"`
	Rollback   *skipper.RollbackRequest `json:"rollback,omitempty"`
	Delete     *deletion                `json:"delete,omitempty"`
	Scale      *scaling                 `json:"scale,omitempty"`
	RetryOf    string                   `json:"retryOf,omitempty"` // the operation that it repeats
}

type deletion struct {
	Release     string `json:"release"`
	WithPackage bool   `json:"withPackage,omitempty"`
}

type scaling struct {
	Release string               `json:"release"`
	Request skipper.ScaleRequest `json:"request"`
}

// kind gives the kind of operation that carries the command out.
func (c command) kind() skipper.Kind {
	switch {
	case c.Install != nil:
		return skipper.KindInstall
	case c.Upgrade != nil:
		return skipper.KindUpgrade
	case c.Rollback != nil:
		return skipper.KindRollback
	case c.Delete != nil:
		return skipper.KindDelete
	}
	return skipper.KindScale
}

// release gives the name of the release that the command changes.
func (c command) release() string {
	switch {
	case c.Install != nil:
		return c.Install.InstallProperties.ReleaseName
	case c.Upgrade != nil:
		return c.Upgrade.UpgradeProperties.ReleaseName
	case c.Rollback != nil:
		return c.Rollback.ReleaseName
	case c.Delete != nil:
		return c.Delete.Release
	}
	return c.Scale.Release
}

// event is how the machine calls the command.
func (c command) event() string { return strings.ToUpper(string(c.kind())) }

// text is how the command is kept. Equal commands have equal texts.
func (c command) text() (json.RawMessage, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return nil, skipper.Errorf(skipper.CodeInternal, "keep a request: %w", err)
	}
	return b, nil
}

func parseCommand(text json.RawMessage) (command, error) {
	var c command
	if err := json.Unmarshal(text, &c); err != nil {
		return c, skipper.Errorf(skipper.CodeInternal, "read a request that was kept: %w", err)
	}
	if c.Install == nil && c.Upgrade == nil && c.Rollback == nil && c.Delete == nil && c.Scale == nil {
		return c, skipper.Errorf(skipper.CodeConflict,
			"this server does not know the request that was kept; a newer one made it: give the command again")
	}
	return c, nil
}

// plan decides what a command comes to, from the present state of things.
func (s *Service) plan(ctx context.Context, c command) (planned, error) {
	switch {
	case c.Install != nil:
		return s.planInstallation(ctx, c)
	case c.Upgrade != nil:
		return s.planUpgradeTo(ctx, *c.Upgrade)
	case c.Rollback != nil:
		return s.planRollback(ctx, c)
	case c.Delete != nil:
		return s.planDelete(ctx, *c.Delete)
	}
	return s.planScale(ctx, *c.Scale)
}

// run has a command accepted, or queued, and waits until its operation has come far enough.
func (s *Service) run(ctx context.Context, c command, o skipper.CommandOptions,
) (skipper.Release, skipper.Operation, error) {
	op, err := s.submit(ctx, c, o)
	if err != nil {
		return fails(err)
	}
	switch c.kind() {
	case skipper.KindInstall:
		rel, op, err := s.finish(ctx, op, untilEnd, true)
		if values := c.Install.InstallProperties.ConfigValues; err == nil && values != nil && rel.Version > 0 {
			rel.ConfigValues = *values // as it was sent, also where it was blank and so not kept
		}
		return rel, op, err
	case skipper.KindUpgrade:
		return s.finish(ctx, op, handedOver, false)
	case skipper.KindRollback:
		return s.finish(ctx, op, handedOver, op.Plan.Install)
	case skipper.KindDelete:
		return s.finish(ctx, op, untilEnd, false)
	case skipper.KindScale, skipper.KindRenew: // the latter is no command
	}
	return s.finish(ctx, op, untilEnd, true)
}

// submit gives the operation of a command: the one that its key names, or a new one.
func (s *Service) submit(ctx context.Context, c command, o skipper.CommandOptions) (skipper.Operation, error) {
	if err := o.Check(); err != nil {
		return skipper.Operation{}, err
	}
	text, err := c.text()
	if err != nil {
		return skipper.Operation{}, err
	}
	if known, err := s.repeated(ctx, text, o.IdempotencyKey); err != nil || known != nil {
		return orNone(known), err
	}
	op, err := s.begin(ctx, c, text, o)
	if err != nil && o.IdempotencyKey != "" {
		// The same request may have come twice, and been refused only because the other one was faster.
		if known, other := s.repeated(ctx, text, o.IdempotencyKey); other != nil || known != nil {
			return orNone(known), other
		}
	}
	return op, err
}

func orNone(op *skipper.Operation) skipper.Operation {
	if op == nil {
		return skipper.Operation{}
	}
	return *op
}

// repeated gives the operation that a key names; nil when there is none. A key belongs to one request.
func (s *Service) repeated(ctx context.Context, text json.RawMessage, key string) (*skipper.Operation, error) {
	if key == "" {
		return nil, nil
	}
	known, err := s.store.OperationByKey(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("look for an idempotency key: %w", err)
	}
	if known == nil || bytes.Equal(known.Request, text) {
		return known, nil
	}
	e := skipper.Errorf(skipper.CodeConflict, "the Idempotency-Key was sent before with another request, whose operation is "+
		"%s; use a key of its own for each request", known.ID)
	e.OperationID = known.ID
	return nil, e
}

// begin has a command accepted. On a busy release it is refused or queued, as the options say; a renewal makes way.
func (s *Service) begin(ctx context.Context, c command, text json.RawMessage, o skipper.CommandOptions,
) (skipper.Operation, error) {
	for {
		op, err := s.beginNow(ctx, c, text, o)
		made, other := s.makeWay(ctx, err)
		if other != nil {
			return op, other
		}
		if !made {
			return op, err
		}
	}
}

func (s *Service) beginNow(ctx context.Context, c command, text json.RawMessage, o skipper.CommandOptions,
) (skipper.Operation, error) {
	waits := o.OnConflict == skipper.ConflictQueue || o.OnConflict == skipper.ConflictSupersede
	var err error
	if waits || c.Install == nil { // an install is refused for its name first, as in Skipper
		err = s.idle(ctx, c.release(), c.event())
	}
	var op skipper.Operation
	if err == nil {
		op, err = s.accept(ctx, func() (planned, error) {
			p, err := s.plan(ctx, c)
			p.op.Request, p.op.IdempotencyKey = text, o.IdempotencyKey
			return p, err
		})
	}
	if waits && skipper.CodeOf(err) == skipper.CodeBusy {
		switch renews, other := s.renewal(ctx, err); {
		case other != nil:
			return op, other
		case renews != nil:
			return op, err // it makes way
		}
		return s.queue(ctx, c, text, o)
	}
	return op, err
}

// queue keeps a command until it is its turn.
func (s *Service) queue(ctx context.Context, c command, text json.RawMessage, o skipper.CommandOptions,
) (skipper.Operation, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return skipper.Operation{}, skipper.Errorf(skipper.CodeInternal, "make an operation id: %w", err)
	}
	now := s.clock()
	op := skipper.Operation{
		ID: id.String(), Kind: c.kind(), ReleaseName: c.release(), State: skipper.StateQueued,
		Outcome: skipper.OutcomeQueued, Created: now, Due: now, Deadline: now.Add(s.config.QueueTimeout),
		Request: text, IdempotencyKey: o.IdempotencyKey,
	}
	if op.Account, err = s.expected(ctx, c); err != nil {
		return op, err
	}
	op, err = s.store.Queue(ctx, op, o.OnConflict == skipper.ConflictSupersede)
	if err == nil {
		s.ops.Wake()
	}
	return op, err
}

// expected gives the account that a command will work on, as far as that can be told now.
func (s *Service) expected(ctx context.Context, c command) (string, error) {
	if c.Install != nil {
		return c.Install.InstallProperties.PlatformName, nil
	}
	rel, err := s.store.LatestRelease(ctx, c.release())
	if skipper.CodeOf(err) == skipper.CodeReleaseNotFound {
		return "", nil
	} else if err != nil {
		return "", fmt.Errorf("look for release %q: %w", c.release(), err)
	}
	return rel.PlatformName, nil
}

// Begin plans a queued operation from the present state of things, as a command that comes now, and turns it into a
// running one. skipper.ErrStale when it is not queued any more, CodeBusy when another operation runs on the release.
func (s *Service) Begin(ctx context.Context, queued skipper.Operation) error {
	c, err := parseCommand(queued.Request)
	if err != nil {
		return err
	}
	for {
		p, err := s.plan(ctx, c)
		if errors.Is(err, errNothing) {
			return s.store.EndQueued(ctx, queued.ID, nil)
		} else if err != nil {
			return err
		}
		p.op.ID = queued.ID
		_, _, err = s.store.Begin(ctx, p.op, p.release, p.latest)
		if !p.outdated(err) || ctx.Err() != nil {
			return err
		}
	}
}

// CancelOperation cancels one operation in any state before its end; CodeConflict when it has ended. One that is queued
// has ended when it returns. One that runs stops after the step under way:
//
//   - what it deployed is removed, and the version before stands (an install, an upgrade until its new version stands);
//   - a delete ends cancelled: what is gone is gone, the rest stays with the release, which can be deleted again. When
//     nothing is left, the delete has succeeded;
//   - a scale ends cancelled: counts that the platform accepted stay, and the release can be scaled again;
//   - what removes something already (the replaced applications of an upgrade, what a failure left) has no way back. It
//     goes on to its end, at its deadline at the latest.
func (s *Service) CancelOperation(ctx context.Context, id string) (skipper.Operation, error) {
	op, err := s.store.CancelOperation(ctx, id)
	if err == nil {
		s.ops.Wake()
	}
	return op, err
}

// RetryOperation gives the command of an operation that failed, was cancelled or rolled back once more, as a new
// operation. It does not wait for it. CodeConflict when there is nothing to repeat, CodeBusy as for any command.
func (s *Service) RetryOperation(ctx context.Context, id string, o skipper.CommandOptions) (skipper.Operation, error) {
	before, err := s.store.OperationWithRequest(ctx, id)
	if err != nil {
		return skipper.Operation{}, err
	}
	switch {
	case before.Unfinished():
		return skipper.Operation{}, skipper.Errorf(skipper.CodeConflict, "operation %q has not ended; cancel it first", id)
	case before.Outcome == skipper.OutcomeSucceeded:
		return skipper.Operation{}, skipper.Errorf(skipper.CodeConflict, "operation %q has succeeded; nothing is to be repeated", id)
	case before.Request == nil:
		return skipper.Operation{}, skipper.Errorf(skipper.CodeConflict,
			"the request of operation %q was not kept, because an older skiff made it; give the command again", id)
	}
	c, err := parseCommand(before.Request)
	if err != nil {
		return skipper.Operation{}, err
	}
	c.RetryOf = before.ID
	op, err := s.submit(ctx, c, o)
	if errors.Is(err, errNothing) {
		return skipper.Operation{}, skipper.Errorf(skipper.CodeConflict, "nothing of release %q runs that could be scaled",
			before.ReleaseName)
	}
	return op, err
}
