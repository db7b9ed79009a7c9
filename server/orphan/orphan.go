// Package orphan finds what runs on a platform, carries the mark of this installation, and belongs to nothing here; it
// has such a deployment removed, or gives it back to the release that its mark names.
//
// Orphans are not to be: the row of a deployment is written before its platform is asked. They come from a store that was
// restored from a backup, and from a server that was frozen in the middle of a platform call until others had taken its
// operation over and ended it. The latter, of which this store knows that nothing can claim them, are removed; of the
// others nothing is removed that nobody asked for, unless the configuration says so.
package orphan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// Store is what the service needs kept.
type Store interface {
	Deployments(ctx context.Context, account string, ids []string) ([]skipper.Deployment, error)
	Compensations(ctx context.Context, limit int) ([]skipper.Deployment, error)
	CompensateOrphan(ctx context.Context, d skipper.Deployment) error
	AdoptOrphan(ctx context.Context, d skipper.Deployment, rel skipper.Release) error
	LatestRelease(ctx context.Context, name string, among ...skipper.StatusCode) (skipper.Release, error)
	// Concluded says whether nothing can claim a deployment of a release version that began at a time.
	Concluded(ctx context.Context, releaseName string, version int, began time.Time) (bool, error)
}

// Platforms knows what releases ask platforms for; rollout.Rollout is one.
type Platforms interface {
	// Adopted gives a release version as it is when it has taken a deployment in, and that as it is kept; CodeConflict
	// says why it cannot.
	Adopted(ctx context.Context, rel skipper.Release, d skipper.Deployment) (skipper.Release, skipper.Deployment, error)
}

// Config is how the service works; zero times take the defaults given.
type Config struct {
	Installation string        // whose mark is ours
	Period       time.Duration // 10 min: between two sweeps
	Grace        time.Duration // 2 s: an orphan must be seen twice, so far apart: what is just being removed is none
	Patience     time.Duration // 20 s: for a platform to list what it has
	Soon         time.Duration // 20 s: from a disturbance, or the start, to a sweep of its own: twice the lease of an operation
	Remove       bool          // sweeps remove all that they find
}

const (
	chunk            = 500  // ids in one question to the store
	mostCompensation = 1000 // open compensations that are listed
)

// Service finds orphans.
type Service struct {
	store     Store
	platforms Platforms
	accounts  deployer.Accounts
	config    Config
	wake      func()
	clock     func() time.Time
	log       *slog.Logger
	disturbed chan struct{}
}

// New makes a service. wake is called when there is something to be removed.
func New(store Store, platforms Platforms, accounts deployer.Accounts, config Config, wake func(),
	clock func() time.Time, log *slog.Logger,
) *Service {
	config.Period = cmp.Or(config.Period, 10*time.Minute)
	config.Grace = cmp.Or(config.Grace, 2*time.Second)
	config.Patience = cmp.Or(config.Patience, 20*time.Second)
	config.Soon = cmp.Or(config.Soon, 20*time.Second)
	return &Service{
		store: store, platforms: platforms, accounts: accounts, config: config, wake: wake, clock: clock, log: log,
		disturbed: make(chan struct{}, 1),
	}
}

// Disturbed says that an operation was taken over from a server or lost to one: soon there is a sweep, because a platform
// call may have had its effect too late. It does not block.
func (s *Service) Disturbed() {
	select {
	case s.disturbed <- struct{}{}:
	default: // it is known already
	}
}

// Run sweeps at once, soon after that, and then every period, until the context ends; and soon after each disturbance.
func (s *Service) Run(ctx context.Context) {
	ticker := time.NewTicker(s.config.Period)
	defer ticker.Stop()
	soon := time.NewTimer(s.config.Soon)
	defer soon.Stop()
	pending, again := true, false // is the timer set, and is it to be set again when it is over?
	for s.sweep(ctx); ctx.Err() == nil; {
		select {
		case <-s.disturbed:
			if again = pending; !pending {
				soon.Reset(s.config.Soon)
				pending = true
			}
			continue
		case <-soon.C:
			if pending = again; again {
				soon.Reset(s.config.Soon)
				again = false
			}
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		s.sweep(ctx)
	}
}

// sweep tells what it finds, and removes what nothing can claim; all, when that was asked for.
func (s *Service) sweep(ctx context.Context) {
	found, err := s.find(ctx)
	if err == nil {
		err = s.each(ctx, found.Items, s.removeUnclaimed)
	}
	if err != nil {
		if ctx.Err() == nil {
			s.log.WarnContext(ctx, "cannot look for orphans", "error", err)
		}
		return
	}
	for _, problem := range found.Problems {
		s.log.WarnContext(ctx, "cannot look for orphans", "problem", problem)
	}
	for _, o := range found.Items {
		log := s.log.With("account", o.Account, "deployment", o.DeploymentID, "release", o.ReleaseName, "version", o.Version,
			"since", o.Since)
		if o.Kind == skipper.OrphanCompensation {
			log.WarnContext(ctx, "an application that belongs to no release is removed")
		} else {
			log.WarnContext(ctx, "an application runs that belongs to no release; "+
				"'skiff release orphans' shows, adopts and removes it")
		}
	}
}

// List gives all orphans, what has to go and is not gone yet, and what drains.
func (s *Service) List(ctx context.Context) (skipper.Orphans, error) {
	found, err := s.find(ctx)
	if err != nil {
		return found, err
	}
	open, err := s.store.Compensations(ctx, mostCompensation)
	if err != nil {
		return found, fmt.Errorf("load open compensations: %w", err)
	}
	for _, d := range open {
		o := skipper.Orphan{
			Kind: skipper.OrphanCompensation, Account: d.Account, DeploymentID: d.DeploymentID, ReleaseName: d.ReleaseName,
			Version: d.ReleaseVersion, App: d.App, Since: d.Created, Message: d.LastError,
		}
		if d.RetireUntil != nil && s.clock().Before(*d.RetireUntil) {
			o.Kind, o.Until = skipper.OrphanDraining, d.RetireUntil
		}
		found.Items = append(found.Items, o)
	}
	slices.SortStableFunc(found.Items, compare)
	return found, nil
}

// Remove has orphans removed: each is an open compensation from then on, tried until it is gone. Those that could not be
// written down stay orphans, with a message. CodeNotFound, before anything is changed, when one that is named is none.
func (s *Service) Remove(ctx context.Context, r skipper.OrphanRequest) (skipper.Orphans, error) {
	return s.command(ctx, r, s.remove)
}

// Adopt gives orphans back to the releases that their marks name. Those that cannot be adopted stay orphans, with a
// message that says why. CodeNotFound, before anything is changed, when one that is named is none.
func (s *Service) Adopt(ctx context.Context, r skipper.OrphanRequest) (skipper.Orphans, error) {
	return s.command(ctx, r, s.adopt)
}

func (s *Service) command(ctx context.Context, r skipper.OrphanRequest, do func(context.Context, *skipper.Orphan) error,
) (skipper.Orphans, error) {
	if r.All == (len(r.Orphans) > 0) {
		return skipper.Orphans{}, skipper.Errorf(skipper.CodeInvalid,
			"either all must be true, or orphans must name the account and deploymentId of each")
	}
	found, err := s.find(ctx)
	if err == nil && !r.All {
		found, err = s.named(found, r.Orphans)
	}
	if err != nil {
		return skipper.Orphans{}, err
	}
	return found, s.each(ctx, found.Items, do)
}

// named chooses among what was found.
func (s *Service) named(found skipper.Orphans, refs []skipper.OrphanRef) (skipper.Orphans, error) {
	out := skipper.Orphans{Problems: found.Problems}
	for _, ref := range refs {
		if _, err := s.accounts.Named(ref.Account); err != nil {
			return out, err
		}
		i := slices.IndexFunc(found.Items, func(o skipper.Orphan) bool {
			return o.Account == ref.Account && o.DeploymentID == ref.DeploymentID
		})
		switch {
		case i < 0 && len(found.Problems) > 0:
			return out, skipper.Errorf(skipper.CodeUnavailable, "whether %q on account %q is an orphan is not known: %s",
				ref.DeploymentID, ref.Account, found.Problems[0])
		case i < 0:
			return out, skipper.Errorf(skipper.CodeNotFound, "there is no orphan %q on account %q", ref.DeploymentID, ref.Account)
		case !slices.Contains(out.Items, found.Items[i]):
			out.Items = append(out.Items, found.Items[i])
		}
	}
	return out, nil
}

// each does something with orphans; what is refused becomes the message of the one, other errors end it.
func (s *Service) each(ctx context.Context, items []skipper.Orphan, do func(context.Context, *skipper.Orphan) error) error {
	for i := range items {
		err := do(ctx, &items[i])
		switch code := skipper.CodeOf(err); {
		case err == nil:
		case code == skipper.CodeConflict, code == skipper.CodeBusy, code == skipper.CodeReleaseNotFound:
			items[i].Message = skipper.MessageOf(err)
		default:
			return err
		}
	}
	return nil
}

// removeUnclaimed is remove for what nothing can claim, or all when the configuration says so.
func (s *Service) removeUnclaimed(ctx context.Context, o *skipper.Orphan) error {
	if !s.config.Remove {
		concluded, err := s.store.Concluded(ctx, o.ReleaseName, o.Version, o.Since)
		if err != nil || !concluded {
			return err
		}
	}
	return s.remove(ctx, o)
}

// remove writes down that an orphan has to go, and leaves it to whoever removes compensations: that is durable, and
// tried again.
func (s *Service) remove(ctx context.Context, o *skipper.Orphan) error {
	if err := s.store.CompensateOrphan(ctx, deployment(*o)); err != nil {
		return fmt.Errorf("remove orphan %q: %w", o.DeploymentID, err)
	}
	o.Kind = skipper.OrphanCompensation
	s.wake()
	return nil
}

func (s *Service) adopt(ctx context.Context, o *skipper.Orphan) error {
	rel, err := s.standing(ctx, *o)
	if err != nil {
		return err
	}
	rel, d, err := s.platforms.Adopted(ctx, rel, deployment(*o))
	if err != nil {
		return err
	}
	if err := s.store.AdoptOrphan(ctx, d, rel); err != nil {
		if errors.Is(err, skipper.ErrChanged) {
			return skipper.Errorf(skipper.CodeConflict, "release %s has changed just now; try again", rel.Name)
		}
		return fmt.Errorf("adopt orphan %q: %w", o.DeploymentID, err)
	}
	o.Kind = skipper.OrphanAdopted
	return nil
}

// standing gives the release version that an orphan's mark names; CodeConflict unless it is the one that stands.
func (s *Service) standing(ctx context.Context, o skipper.Orphan) (skipper.Release, error) {
	rel, err := s.store.LatestRelease(ctx, o.ReleaseName,
		skipper.StatusDeployed, skipper.StatusDeleted, skipper.StatusUnknown)
	switch {
	case skipper.CodeOf(err) == skipper.CodeReleaseNotFound:
		return rel, skipper.Errorf(skipper.CodeConflict, "there is no release %s that it could belong to", o.ReleaseName)
	case err != nil:
		return rel, fmt.Errorf("look for release %q: %w", o.ReleaseName, err)
	case rel.Version != o.Version:
		return rel, skipper.Errorf(skipper.CodeConflict, "it is of version %d of release %s, which stands at version %d",
			o.Version, o.ReleaseName, rel.Version)
	case rel.Info.Status.StatusCode != skipper.StatusDeployed:
		return rel, skipper.Errorf(skipper.CodeConflict, "version %d of release %s is %s and not DEPLOYED",
			o.Version, o.ReleaseName, rel.Info.Status.StatusCode)
	}
	return rel, nil
}

// find gives what is an orphan twice, a grace period apart.
func (s *Service) find(ctx context.Context) (skipper.Orphans, error) {
	found, err := s.look(ctx)
	if err != nil || len(found.Items) == 0 {
		return found, err
	}
	timer := time.NewTimer(s.config.Grace)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return found, skipper.Errorf(skipper.CodeCancelled, "stopped looking for orphans: %w", ctx.Err())
	}
	again, err := s.look(ctx)
	again.Items = slices.DeleteFunc(again.Items, func(o skipper.Orphan) bool {
		return !slices.ContainsFunc(found.Items, func(before skipper.Orphan) bool { return compare(before, o) == 0 })
	})
	return again, err
}

func compare(a, b skipper.Orphan) int {
	return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.DeploymentID, b.DeploymentID))
}

// look asks all accounts at once.
func (s *Service) look(ctx context.Context) (skipper.Orphans, error) {
	out := skipper.Orphans{Problems: []string{}}
	found, errs := make([][]skipper.Orphan, len(s.accounts)), make([]error, len(s.accounts))
	var group sync.WaitGroup
	for i, account := range s.accounts {
		group.Go(func() { found[i], errs[i] = s.unknown(ctx, account) })
	}
	group.Wait()
	for i, account := range s.accounts {
		out.Items = append(out.Items, found[i]...)
		switch platform, ok := errors.AsType[*platformError](errs[i]); {
		case ok:
			out.Problems = append(out.Problems, fmt.Sprintf("account %s cannot be asked: %v", account.Name, platform.err))
		case errs[i] != nil:
			return out, errs[i]
		}
	}
	slices.SortFunc(out.Items, compare)
	return out, nil
}

// platformError is what a platform answers, unlike an error of the store.
type platformError struct{ err error }

func (e *platformError) Error() string { return e.err.Error() }

// unknown gives what carries our mark on an account and has no row. The platform is asked first: the row of what it then
// has was written before.
func (s *Service) unknown(ctx context.Context, account deployer.Account) ([]skipper.Orphan, error) {
	limited, cancel := context.WithTimeout(ctx, s.config.Patience)
	defer cancel()
	all, err := account.Deployer.Discover(limited,
		deployer.Owner{Installation: s.config.Installation, Account: account.Name})
	if err != nil {
		return nil, &platformError{err}
	}
	var out []skipper.Orphan
	for part := range slices.Chunk(all, chunk) {
		ids := make([]string, 0, len(part))
		for _, f := range part {
			ids = append(ids, f.ID)
		}
		rows, err := s.store.Deployments(ctx, account.Name, ids)
		if err != nil {
			return nil, fmt.Errorf("load deployments: %w", err)
		}
		for _, f := range part {
			if !slices.ContainsFunc(rows, func(d skipper.Deployment) bool { return d.DeploymentID == f.ID }) {
				out = append(out, orphanOf(account.Name, f))
			}
		}
	}
	return out, nil
}

func orphanOf(account string, f deployer.Found) skipper.Orphan {
	return skipper.Orphan{
		Kind: skipper.OrphanFound, Account: account, DeploymentID: f.ID, ReleaseName: f.Owner.Release,
		Version: f.Owner.Version, App: f.Owner.App, Since: f.Since, SpecHash: f.SpecHash,
	}
}

func deployment(o skipper.Orphan) skipper.Deployment {
	return skipper.Deployment{
		Account: o.Account, DeploymentID: o.DeploymentID, ReleaseName: o.ReleaseName, ReleaseVersion: o.Version, App: o.App,
		SpecHash: o.SpecHash,
	}
}
