// Package status keeps the platform status of releases fresh in the store, so that lists can show it without asking a
// platform: releases of the last two minutes every few seconds, all others every ten minutes (skipper-core.md 6.1).
package status

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// Store is what the updater needs kept.
type Store interface {
	ReleasesToPoll(ctx context.Context, deployedSince time.Time, limit int, afterID int64) ([]skipper.Release, error)
	SetPlatformStatus(ctx context.Context, releaseID int64, platformStatus string) error
}

// Platforms asks the platforms about a release.
type Platforms interface {
	PlatformStatus(ctx context.Context, rel skipper.Release) ([]skipper.AppStatus, error)
}

const (
	recent   = 120 * time.Second // releases deployed since then are asked for in every round
	full     = 10 * time.Minute  // all releases are asked for as often
	batch    = 100
	parallel = 8
)

// Updater asks the platforms in rounds.
type Updater struct {
	store     Store
	platforms Platforms
	period    time.Duration
	clock     func() time.Time
	log       *slog.Logger
	lastFull  time.Time
}

// New makes an updater with rounds of a period.
func New(store Store, platforms Platforms, period time.Duration, clock func() time.Time, log *slog.Logger) *Updater {
	return &Updater{store: store, platforms: platforms, period: period, clock: clock, log: log}
}

// Run does rounds until the context ends; the first one is full.
func (u *Updater) Run(ctx context.Context) {
	ticker := time.NewTicker(u.period)
	defer ticker.Stop()
	for ctx.Err() == nil {
		u.Round(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
}

// Round asks for all releases that are due now.
func (u *Updater) Round(ctx context.Context) {
	now := u.clock()
	since, whole := now.Add(-recent), now.Sub(u.lastFull) >= full
	if whole {
		since = time.Time{}
	}
	for after := int64(0); ctx.Err() == nil; {
		releases, err := u.store.ReleasesToPoll(ctx, since, batch, after)
		if err != nil {
			u.log.WarnContext(ctx, "cannot list releases for the status round", "error", err)
			return
		}
		u.ask(ctx, releases)
		if len(releases) < batch {
			if whole { // one that failed half-way is due again
				u.lastFull = now
			}
			return
		}
		after = releases[len(releases)-1].ID
	}
}

func (u *Updater) ask(ctx context.Context, releases []skipper.Release) {
	var group sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for _, rel := range releases {
		if rel.Apps == nil {
			continue
		}
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			u.update(ctx, rel)
		})
	}
	group.Wait()
}

// update writes only what changed: a status costs a row.
func (u *Updater) update(ctx context.Context, rel skipper.Release) {
	apps, err := u.platforms.PlatformStatus(ctx, rel)
	if err != nil {
		u.log.DebugContext(ctx, "a platform cannot say its status", "release", rel.Name, "error", err)
		return
	}
	text := skipper.PlatformStatusOf(apps)
	if old := rel.Info.Status.PlatformStatus; old != nil && *old == text {
		return
	}
	if err := u.store.SetPlatformStatus(ctx, rel.ID, text); err != nil && ctx.Err() == nil {
		u.log.WarnContext(ctx, "a platform status cannot be kept", "release", rel.Name, "error", err)
	}
}
