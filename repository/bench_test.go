package repository_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/repository"
)

const benchVersions = 10_000

type bench struct {
	*repository.Store
	pkg skipper.PackageMetadata
}

func newBench(b *testing.B) bench {
	b.Helper()
	store, err := repository.Open(b.Context(), repository.Config{
		Dir: b.TempDir(), Clock: time.Now, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, store.Close()) })
	local, _, err := store.EnsureRepository(b.Context(), skipper.Repository{Name: "local", Local: true})
	require.NoError(b, err)
	log := skipper.PackageMetadata{Name: "log", Version: "1", RepositoryID: &local.ID}
	p, err := store.AddPackage(b.Context(), log, nil)
	require.NoError(b, err)
	return bench{store, p}
}

// version accepts a version of about 4 KiB and ends its operation.
func (s bench) version(b *testing.B, name string, version int) {
	b.Helper()
	now := time.Now()
	release := skipper.Release{
		Name: name, Version: version, PackageID: s.pkg.ID, PlatformName: "default",
		Pkg: skipper.Package{
			Metadata: s.pkg, Templates: []skipper.Template{{Name: "log.yml", Data: strings.Repeat("key: {{value}}\n", 200)}},
		},
		Manifest: &skipper.Manifest{Data: strings.Repeat("key: value\n", 100)},
		Info:     skipper.Info{FirstDeployed: skipper.At(now), LastDeployed: skipper.At(now)},
	}
	op, _, err := s.Accept(b.Context(), skipper.Operation{
		ID: fmt.Sprintf("%s-%d", name, version), Kind: skipper.KindUpgrade, ReleaseName: name,
		State: skipper.StateUpgradeStart,
	}, &release, version-1)
	require.NoError(b, err)
	op.State, op.Outcome, op.Ended = skipper.StateInitial, skipper.OutcomeSucceeded, &now
	require.NoError(b, s.Advance(b.Context(), op.Token, skipper.Advance{Operation: op, Release: []skipper.ReleaseChange{
		{Name: name, Version: version, Status: skipper.StatusDeleted},
	}}))
}

func BenchmarkAcceptAndEnd(b *testing.B) {
	s := newBench(b)
	version := 0
	for b.Loop() {
		version++
		s.version(b, "log", version)
	}
}

func BenchmarkReads(b *testing.B) {
	s := newBench(b)
	for version := range benchVersions {
		s.version(b, "log", version+1)
	}
	s.version(b, "other", 1)
	byTime := skipper.Sort{Property: "info.lastDeployed", Descending: true}
	for name, read := range map[string]func() error{
		"LatestRelease": func() error { _, err := s.LatestRelease(b.Context(), "log"); return err },
		"LatestReleaseAmong": func() error {
			_, err := s.LatestRelease(b.Context(), "log", skipper.StatusDeleted, skipper.StatusFailed)
			return err
		},
		"ReleasesNamed": func() error { _, err := s.ReleasesNamed(b.Context(), []string{"log"}); return err },
		"NextVersion":   func() error { _, err := s.NextVersion(b.Context(), "log"); return err },
		"Search": func() error {
			_, err := s.ReleasesContaining(b.Context(), "the", skipper.StatusDeployed, skipper.StatusFailed)
			return err
		},
		"History": func() error { _, err := s.ReleaseHistory(b.Context(), "the"); return err },
		"Page":    func() error { _, err := s.Releases(b.Context(), skipper.PageRequest{Size: 20}); return err },
		"SortedPage": func() error {
			_, err := s.Releases(b.Context(), skipper.PageRequest{Size: 20, Sort: []skipper.Sort{byTime}})
			return err
		},
		"Operations": func() error {
			_, err := s.Operations(b.Context(), skipper.OperationFilter{ReleaseName: "log"}, skipper.PageRequest{Size: 20})
			return err
		},
		"NextDue": func() error { _, _, err := s.NextDue(b.Context(), time.Now(), nil); return err },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				require.NoError(b, read())
			}
		})
	}
}
