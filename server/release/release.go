// Package release holds the use cases on releases: it checks a request, decides what is to be done, and has the store
// accept it as an operation; the operation package does the rest. Messages that clients know are Skipper's
// (skipper-core.md 4 and skipper-rest-api.md 5 and 6).
package release

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/manifest"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// Store is what the service needs kept.
type Store interface {
	Release(ctx context.Context, name string, version int) (skipper.Release, error)
	ReleaseByID(ctx context.Context, id int64) (skipper.Release, error)
	LatestRelease(ctx context.Context, name string, among ...skipper.StatusCode) (skipper.Release, error)
	ReleasesNamed(ctx context.Context, names []string) ([]skipper.Release, error)
	ReleasesContaining(ctx context.Context, part string, among ...skipper.StatusCode) ([]skipper.Release, error)
	ReleaseHistory(ctx context.Context, part string) ([]skipper.Release, error)
	Releases(ctx context.Context, page skipper.PageRequest) (skipper.Page[skipper.Release], error)
	NextVersion(ctx context.Context, name string) (int, error)
	Accept(ctx context.Context, op skipper.Operation, release *skipper.Release, latest int,
	) (skipper.Operation, skipper.Release, error)
	SetPlatformStatus(ctx context.Context, releaseID int64, platformStatus string) error
	RequestCancel(ctx context.Context, releaseName string, states []skipper.State) (*skipper.Operation, error)
	Unfinished(ctx context.Context, releaseNames []string, limit int) ([]skipper.Operation, error)
	OperationStore
}

// OperationStore keeps operations as they are asked for by their clients: queued, named by a key, repeated.
type OperationStore interface {
	OperationByKey(ctx context.Context, key string) (*skipper.Operation, error)
	OperationWithRequest(ctx context.Context, id string) (skipper.Operation, error)
	Queue(ctx context.Context, op skipper.Operation, supersede bool) (skipper.Operation, error)
	Begin(ctx context.Context, op skipper.Operation, release *skipper.Release, latest int,
	) (skipper.Operation, skipper.Release, error)
	EndQueued(ctx context.Context, id string, why *skipper.Error) error
	CancelOperation(ctx context.Context, id string) (skipper.Operation, error)
}

// Catalog finds packages.
type Catalog interface {
	Find(ctx context.Context, id skipper.PackageIdentifier) (skipper.PackageMetadata, error)
	Package(ctx context.Context, id int64) (skipper.PackageMetadata, error)
	Load(ctx context.Context, m skipper.PackageMetadata) (skipper.Package, error)
	Repository(ctx context.Context, id int64) (skipper.Repository, error)
	CheckDeletePackage(ctx context.Context, name, exceptRelease string) error
}

// Operations runs what was accepted.
type Operations interface {
	Wake()
	Wait(ctx context.Context, id string, done func(skipper.Operation) bool) (skipper.Operation, error)
	// Start gives the first state of a kind, and the states in which a cancel is accepted.
	Start(ctx context.Context, kind skipper.Kind) (skipper.State, error)
	Cancellable() []skipper.State
}

// Platforms asks the platforms about a release, and knows what they are asked for one.
type Platforms interface {
	PlatformStatus(ctx context.Context, rel skipper.Release) ([]skipper.AppStatus, error)
	Logs(ctx context.Context, rel skipper.Release, limit int64, filter func(id string) bool) (map[string]string, error)
	ReadLogs(ctx context.Context, rel skipper.Release, q skipper.LogQuery, emit func(skipper.LogLine) error) error
	Request(rel skipper.Release, app manifest.Application) (deployer.Request, error)
	Deadline(op skipper.Operation, state skipper.State) time.Time
	// Draining gives applications of earlier versions that were replaced and have not ended yet.
	Draining(ctx context.Context, releaseName string) ([]skipper.Draining, error)
}

// Config has what requests may leave out.
type Config struct {
	HealthTimeout time.Duration // for new applications of an upgrade to become healthy
	WaitLimit     time.Duration // a request waits so long for its operation; then it answers with what there is
	QueueTimeout  time.Duration // a queued operation that could not begin so long after it came fails
	LogLimit      int64         // bytes of each stream of an instance
}

// Service has the use cases.
type Service struct {
	store     Store
	catalog   Catalog
	ops       Operations
	platforms Platforms
	accounts  deployer.Accounts
	config    Config
	clock     func() time.Time
}

// New makes the service.
func New(store Store, catalog Catalog, ops Operations, platforms Platforms, accounts deployer.Accounts, config Config,
	clock func() time.Time,
) *Service {
	return &Service{
		store: store, catalog: catalog, ops: ops, platforms: platforms, accounts: accounts, config: config, clock: clock,
	}
}

// planned is a decision: the operation, the release version it makes (nil: none), and the newest version it is based on.
type planned struct {
	op      skipper.Operation
	release *skipper.Release
	latest  int
}

// outdated says that a decision was refused because what it was based on changed meanwhile.
func (p planned) outdated(err error) bool {
	vanished := p.release != nil && skipper.CodeOf(err) == skipper.CodeNotFound // its package: the plan says so better
	return vanished || errors.Is(err, skipper.ErrChanged)
}

// accept decides and has the decision accepted; when the release changed in between, it decides once more.
func (s *Service) accept(ctx context.Context, plan func() (planned, error)) (skipper.Operation, error) {
	for {
		p, err := plan()
		if err != nil {
			return skipper.Operation{}, err
		}
		op, _, err := s.store.Accept(ctx, p.op, p.release, p.latest)
		if p.outdated(err) && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return op, err
		}
		s.ops.Wake()
		return op, nil
	}
}

// operation fills in what all operations share.
func (s *Service) operation(ctx context.Context, op skipper.Operation) (skipper.Operation, error) {
	state, err := s.ops.Start(ctx, op.Kind)
	if err != nil {
		return op, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return op, skipper.Errorf(skipper.CodeInternal, "make an operation id: %w", err)
	}
	now := s.clock()
	op.ID, op.State, op.Outcome = id.String(), state, skipper.OutcomeRunning
	op.Created, op.Updated, op.Due, op.Account = now, now, now, op.Plan.Account
	op.Deadline = s.platforms.Deadline(op, state)
	return op, nil
}

// idle refuses a command while another operation runs or waits, before anything else is looked at.
func (s *Service) idle(ctx context.Context, name, event string) error {
	first, err := s.store.Unfinished(ctx, []string{name}, 1)
	if err != nil {
		return fmt.Errorf("look for unfinished operations of %q: %w", name, err)
	}
	if len(first) > 0 {
		return skipper.Busy(event, first[0].ID)
	}
	return nil
}

// finish waits until the operation has ended, or done says that it has come far enough, and gives the release version
// as it stands then. A failure of the operation is its error when fails says so, and when it did not begin. One that is
// queued is not waited for: then there is no release.
func (s *Service) finish(ctx context.Context, op skipper.Operation, done func(skipper.Operation) bool, fails bool,
) (skipper.Release, skipper.Operation, error) {
	if op.Outcome == skipper.OutcomeQueued {
		return skipper.Release{}, op, nil
	}
	wait, cancel := context.WithTimeout(ctx, s.config.WaitLimit)
	defer cancel()
	now, err := s.ops.Wait(wait, op.ID, done)
	if err != nil && wait.Err() == nil {
		return skipper.Release{}, op, err
	}
	if now.ID != "" {
		op = now
	}
	if ctx.Err() != nil { // the client went away; the operation goes on
		return skipper.Release{}, op, skipper.Errorf(skipper.CodeCancelled, "the request ended; operation %s goes on", op.ID)
	}
	stopped := op.Kind == skipper.KindDelete && op.Outcome == skipper.OutcomeCancelled
	if (fails || stopped || op.TargetVersion == 0) && !op.Unfinished() && op.Error != nil {
		return skipper.Release{}, op, op.Error.AsError()
	}
	rel, err := s.get(ctx, op.ReleaseName, op.TargetVersion)
	if err != nil {
		return rel, op, fmt.Errorf("load release %q: %w", op.ReleaseName, err)
	}
	return rel, op, nil
}

// untilEnd lets a request wait for the end of its operation, whatever it comes through.
func untilEnd(skipper.Operation) bool { return false }

// blank refuses an empty field with Skipper's sentence. The reference answers 409 and hides the sentence.
func blank(value, message string) error {
	if strings.TrimSpace(value) == "" {
		return skipper.Errorf(skipper.CodeConflict, "%s", message)
	}
	return nil
}

// refused turns an error about the content of a package or of values into the 409 that clients expect of a command.
func refused(err error) error {
	if code := skipper.CodeOf(err); code == skipper.CodeInvalid || code == skipper.CodeNotFound || code == skipper.CodeTooLarge {
		return &skipper.Error{Code: skipper.CodeConflict, Message: skipper.MessageOf(err), Err: err}
	}
	return err
}
