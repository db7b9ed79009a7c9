package repositorytest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/repository"
)

const (
	crowd = 20
	mob   = 50 // for what clients send again and again
)

func concurrencyTests() map[string]func(t *testing.T, b *bundle) {
	return map[string]func(t *testing.T, b *bundle){
		"Concurrent_AcceptsOfOneReleaseHaveOneWinner":     testConcurrentAccepts,
		"Concurrent_AcceptAndDeletePackages":              testConcurrentAcceptAndDelete,
		"Concurrent_LeasesNeverShareAnOperation":          testConcurrentLeases,
		"Concurrent_ClaimsNeverShareACompensation":        testConcurrentClaims,
		"Concurrent_WritersOfDifferentReleasesAllSucceed": testConcurrentWriters,
		"Concurrent_AdvanceAndTakeOver":                   testConcurrentTakeOver,
		"Concurrent_EnsureRepositoryAndReservePorts":      testConcurrentInserts,
		"Concurrent_PackageFilesAreSharedSafely":          testConcurrentBlobs,
		"Concurrent_RequestsWithOneKeyMakeOneOperation":   testConcurrentKeys,
		"Concurrent_BeginsOfOneOperationHaveOneWinner":    testConcurrentBegins,
		"Concurrent_SupersedingCommandsLeaveOne":          testConcurrentSupersede,
		"Concurrent_BeginAndCancel":                       testConcurrentBeginAndCancel,
		"Concurrent_ClaimsNeverShareAQueuedOperation":     testConcurrentQueueClaims,
	}
}

// together runs fn by a crowd at the same moment, on both servers, and gives the errors in the order of the crowd.
func together(servers [2]*repository.Store, fn func(i int, s *repository.Store) error) []error {
	return all(crowd, servers, fn)
}

func all(n int, servers [2]*repository.Store, fn func(i int, s *repository.Store) error) []error {
	start := make(chan struct{})
	errs := make([]error, n)
	var done sync.WaitGroup
	for i := range n {
		done.Go(func() {
			<-start
			errs[i] = fn(i, servers[i%2])
		})
	}
	close(start)
	done.Wait()
	return errs
}

func testConcurrentAccepts(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	errs := together(b.servers(t), func(i int, s *repository.Store) error {
		release := b.release("log", 1, p)
		op := b.operation(skipper.KindInstall, "log", 1)
		op.ID = fmt.Sprintf("op-%d", i)
		_, _, err := s.Accept(t.Context(), op, &release, 0)
		return err
	})
	running, err := b.RunningOperation(t.Context(), "log")
	require.NoError(t, err)
	require.NotNil(t, running)
	won := 0
	for i, err := range errs {
		if err == nil {
			won++
			require.Equal(t, fmt.Sprintf("op-%d", i), running.ID)
			continue
		}
		requireEqual(t, skipper.Busy("INSTALL", running.ID), err)
	}
	require.Equal(t, 1, won)
}

func testConcurrentAcceptAndDelete(t *testing.T, b *bundle) {
	servers := b.servers(t)
	inUse := errors.New("in use")
	for round := range 10 {
		name := fmt.Sprintf("log-%d", round)
		p := b.addPackage(t, name, "1.0.0", []byte("zip"))
		errs := together(servers, func(i int, s *repository.Store) error {
			if i > 1 {
				return nil
			}
			if i == 0 {
				release := b.release(name, 1, p)
				_, _, err := s.Accept(t.Context(), b.operation(skipper.KindInstall, name, 1), &release, 0)
				return err
			}
			return s.DeletePackages(t.Context(), name, func(_ []skipper.PackageMetadata, uses []skipper.PackageUse) error {
				if len(uses) > 0 {
					return inUse
				}
				return nil
			})
		})
		if errs[0] == nil {
			require.Equal(t, inUse, errs[1])
			continue
		}
		requireCode(t, skipper.CodeNotFound, errs[0])
		require.NoError(t, errs[1])
	}
}

func testConcurrentLeases(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	for i := range 2 * crowd {
		b.accept(t, fmt.Sprintf("log-%d", i), 1, p)
	}
	now := b.clock.Now()
	var mu sync.Mutex
	taken := map[string]int{}
	for _, err := range together(b.servers(t), func(i int, s *repository.Store) error {
		ops, err := s.Lease(t.Context(), fmt.Sprintf("server-%d", i), now, now.Add(time.Minute), 3, nil)
		mu.Lock()
		defer mu.Unlock()
		for _, op := range ops {
			taken[op.ID]++
		}
		return err
	}) {
		require.NoError(t, err)
	}
	rest, err := b.Lease(t.Context(), "last", now, now.Add(time.Minute), 1000, nil)
	require.NoError(t, err)
	for _, op := range rest {
		taken[op.ID]++
	}
	require.Len(t, taken, 2*crowd)
	for id, times := range taken {
		require.Equal(t, 1, times, id)
	}
}

func testConcurrentClaims(t *testing.T, b *bundle) {
	op := b.leased(t, "log")
	var ids []string
	for i := range crowd {
		ids = append(ids, fmt.Sprintf("log.%d-v1", i))
		b.wantDeployment(t, op, ids[i])
	}
	require.NoError(t, b.Advance(t.Context(), op.Token, skipper.Advance{Operation: op, Unwant: ids}))
	b.end(t, op)
	now := b.clock.Now()
	var mu sync.Mutex
	taken := map[string]int{}
	for _, err := range together(b.servers(t), func(_ int, s *repository.Store) error {
		claimed, err := s.ClaimCompensations(t.Context(), now, now.Add(time.Minute), 2, nil)
		mu.Lock()
		defer mu.Unlock()
		for _, d := range claimed {
			taken[d.DeploymentID]++
		}
		return err
	}) {
		require.NoError(t, err)
	}
	for _, d := range b.claim(t, 1000) {
		taken[d.DeploymentID]++
	}
	require.Len(t, taken, crowd)
	for id, times := range taken {
		require.Equal(t, 1, times, id)
	}
}

func testConcurrentWriters(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	const versions = 5
	for i, err := range together(b.servers(t), func(i int, s *repository.Store) error {
		name := fmt.Sprintf("log-%d", i)
		for version := 1; version <= versions; version++ {
			release := b.release(name, version, p)
			op, _, err := s.Accept(t.Context(), b.operation(skipper.KindInstall, name, version), &release, version-1)
			if err != nil {
				return err
			}
			op.Outcome, op.State = skipper.OutcomeSucceeded, skipper.StateInitial
			if err := s.Advance(t.Context(), op.Token, skipper.Advance{
				Operation: op, Event: &skipper.OperationEvent{Event: "DONE"},
				Release: []skipper.ReleaseChange{{Name: name, Version: version, Status: skipper.StatusDeployed}},
			}); err != nil {
				return err
			}
			if _, err := s.LatestRelease(t.Context(), name, skipper.StatusDeployed); err != nil {
				return err
			}
		}
		return nil
	}) {
		require.NoError(t, err, "%d", i)
	}
	page, err := b.Releases(t.Context(), pageOf(0, 1))
	require.NoError(t, err)
	require.Equal(t, crowd*versions, page.Total)
}

// testConcurrentTakeOver lets the holder of a lease and one who takes it over write at the same time: whoever comes
// second with the old token must have changed nothing.
func testConcurrentTakeOver(t *testing.T, b *bundle) {
	servers := b.servers(t)
	for round := range 5 {
		name := fmt.Sprintf("log-%d", round)
		op := b.leased(t, name)
		late := b.clock.advance(time.Hour)
		errs := together(servers, func(i int, s *repository.Store) error {
			if i == 0 {
				return takeOver(t, s, late)
			}
			return s.Advance(t.Context(), op.Token, skipper.Advance{
				Operation: op, Event: &skipper.OperationEvent{Event: fmt.Sprintf("step-%d", i)},
			})
		})
		require.NoError(t, errs[0])
		events, err := b.OperationEvents(t.Context(), op.ID, 0)
		require.NoError(t, err)
		written := 1 // accepted
		for _, err := range errs[1:] {
			if err == nil {
				written++
				continue
			}
			requireStale(t, err)
		}
		require.Len(t, events, written)
		kept, err := b.Operation(t.Context(), op.ID)
		require.NoError(t, err)
		require.Equal(t, op.Token+1, kept.Token)
		b.end(t, kept)
	}
}

// takeOver leases the one operation that is due; again while another transaction holds its row.
func takeOver(t *testing.T, s *repository.Store, now time.Time) error {
	for {
		ops, err := s.Lease(t.Context(), "server-2", now, now.Add(time.Hour), 1, nil)
		if err != nil || len(ops) == 1 {
			return err
		}
	}
}

func testConcurrentInserts(t *testing.T, b *bundle) {
	const ports = 1000
	servers := b.servers(t)
	var mu sync.Mutex
	made, reserved := 0, 0
	for _, err := range together(servers, func(i int, s *repository.Store) error {
		_, was, err := s.EnsureRepository(t.Context(), skipper.Repository{Name: "local"})
		if err != nil {
			return err
		}
		// The same ports in another order each: nobody may wait for somebody who waits for him.
		mine, err := s.ReservePorts(t.Context(), "host", rand.Perm(ports), fmt.Sprintf("owner-%d", i))
		mu.Lock()
		defer mu.Unlock()
		if was {
			made++
		}
		reserved += len(mine)
		return err
	}) {
		require.NoError(t, err)
	}
	require.Equal(t, 1, made)
	require.Equal(t, ports, reserved, "each has one owner")
}

// testConcurrentBlobs adds and deletes packages that share their file: whoever is there has the file.
func testConcurrentBlobs(t *testing.T, b *bundle) {
	b.addPackage(t, "first", "1.0.0", nil)
	for _, err := range together(b.servers(t), func(i int, s *repository.Store) error {
		name := fmt.Sprintf("log-%d", i)
		local, err := s.RepositoryByName(t.Context(), "local")
		if err != nil {
			return err
		}
		for range 5 {
			p, err := s.AddPackage(t.Context(),
				skipper.PackageMetadata{Name: name, Version: "1", RepositoryID: &local.ID}, []byte("shared"))
			if err != nil {
				return err
			}
			if err := s.SetPackageFile(t.Context(), p.ID, []byte("shared, too")); err != nil {
				return err
			}
			if _, err := s.PackageFile(t.Context(), p.ID); err != nil {
				return err
			}
			if err := s.DeletePackages(t.Context(), name, allow); err != nil {
				return err
			}
		}
		return nil
	}) {
		require.NoError(t, err)
	}
}

// testConcurrentKeys lets a crowd send one request, half of it to be queued if need be.
func testConcurrentKeys(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	for _, busy := range []bool{false, true} {
		name := fmt.Sprintf("log-%v", busy)
		if busy {
			b.accept(t, name, 1, p)
		}
		errs := all(mob, b.servers(t), func(i int, s *repository.Store) error {
			op := b.operation(skipper.KindInstall, name, 1)
			op.ID, op.IdempotencyKey = fmt.Sprintf("%s-%d", name, i), "key of "+name
			if busy {
				_, err := s.Queue(t.Context(), op, false)
				return err
			}
			release := b.release(name, 1, p)
			_, _, err := s.Accept(t.Context(), op, &release, 0)
			return err
		})
		kept, err := b.OperationByKey(t.Context(), "key of "+name)
		require.NoError(t, err)
		require.NotNil(t, kept)
		won := 0
		for i, err := range errs {
			if err == nil {
				won++
				require.Equal(t, fmt.Sprintf("%s-%d", name, i), kept.ID)
				continue
			}
			require.ErrorIs(t, err, skipper.ErrRepeated)
			known, ok := errors.AsType[*skipper.Error](err)
			require.True(t, ok)
			require.Equal(t, kept.ID, known.OperationID)
		}
		require.Equal(t, 1, won)
		page, err := b.Operations(t.Context(), skipper.OperationFilter{ReleaseName: name}, pageOf(0, 1))
		require.NoError(t, err)
		want := 1
		if busy {
			want = 2 // and the one that runs
		}
		require.Equal(t, want, page.Total)
	}
}

func testConcurrentBegins(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	op := b.queued(t, "q", "log", skipper.KindInstall)
	won := 0
	for _, err := range together(b.servers(t), func(_ int, s *repository.Store) error {
		release := b.release("log", 1, p)
		begun := op
		begun.State, begun.TargetVersion = skipper.StateInstall, 1
		_, _, err := s.Begin(t.Context(), begun, &release, 0)
		return err
	}) {
		if err == nil {
			won++
			continue
		}
		requireStale(t, err)
	}
	require.Equal(t, 1, won)
	events, err := b.OperationEvents(t.Context(), "q", 0)
	require.NoError(t, err)
	require.Len(t, events, 2)
}

func testConcurrentSupersede(t *testing.T, b *bundle) {
	running, _ := b.accept(t, "log", 1, b.addPackage(t, "log", "1.0.0", nil))
	for _, err := range together(b.servers(t), func(i int, s *repository.Store) error {
		op := b.operation(skipper.KindInstall, "log", 1)
		op.ID = fmt.Sprintf("q-%d", i)
		_, err := s.Queue(t.Context(), op, true)
		return err
	}) {
		require.NoError(t, err)
	}
	left, err := b.Unfinished(t.Context(), []string{"log"}, 100)
	require.NoError(t, err)
	require.Len(t, left, 2, "what runs, and the last of the crowd")
	require.Equal(t, running.ID, left[0].ID)
	require.True(t, left[0].Cancel)
	require.Equal(t, skipper.OutcomeQueued, left[1].Outcome)
}

// testConcurrentBeginAndCancel: a cancel is never lost. Either the operation did not begin, or it knows of the cancel.
func testConcurrentBeginAndCancel(t *testing.T, b *bundle) {
	p := b.addPackage(t, "log", "1.0.0", nil)
	servers := b.servers(t)
	for round := range 10 {
		name, id := fmt.Sprintf("log-%d", round), fmt.Sprintf("q-%d", round)
		op := b.queued(t, id, name, skipper.KindInstall)
		errs := together(servers, func(i int, s *repository.Store) error {
			switch i {
			case 0:
				release := b.release(name, 1, p)
				op.State, op.TargetVersion = skipper.StateInstall, 1
				_, _, err := s.Begin(t.Context(), op, &release, 0)
				return err
			case 1:
				_, err := s.CancelOperation(t.Context(), id)
				return err
			}
			return nil
		})
		require.NoError(t, errs[1])
		got, err := b.Operation(t.Context(), id)
		require.NoError(t, err)
		if errs[0] == nil {
			require.True(t, got.Running())
			require.True(t, got.Cancel)
			continue
		}
		requireStale(t, errs[0])
		require.Equal(t, skipper.OutcomeCancelled, got.Outcome)
	}
}

func testConcurrentQueueClaims(t *testing.T, b *bundle) {
	for i := range 2 * crowd {
		b.queued(t, fmt.Sprintf("q-%d", i), fmt.Sprintf("log-%d", i), skipper.KindInstall)
	}
	now := b.clock.Now()
	var mu sync.Mutex
	taken := map[string]int{}
	claim := func(s *repository.Store, limit int) error {
		ops, err := s.ClaimQueued(t.Context(), now, now.Add(time.Minute), limit, nil)
		mu.Lock()
		defer mu.Unlock()
		for _, op := range ops {
			taken[op.ID]++
		}
		return err
	}
	for _, err := range together(b.servers(t), func(_ int, s *repository.Store) error { return claim(s, 3) }) {
		require.NoError(t, err)
	}
	require.NoError(t, claim(b.Store, 1000))
	require.Len(t, taken, 2*crowd)
	for id, times := range taken {
		require.Equal(t, 1, times, id)
	}
}
