package repository_test

import (
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/repository"
	"github.com/skiff-project/skiff/repository/repositorytest"
)

func TestPostgres(t *testing.T) {
	t.Parallel()
	repositorytest.Run(t, func(t *testing.T) repository.Config {
		t.Helper()
		return repository.Config{URL: cluster.Database(t)}
	})
}

func databaseName(t *testing.T, address string) string {
	t.Helper()
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	return strings.TrimPrefix(parsed.Path, "/")
}

func TestPostgres_ADeadConnectionIsUnavailableAndComesBack(t *testing.T) {
	t.Parallel()
	ctx, address := t.Context(), cluster.Database(t)
	store, err := openStore(t, repository.Config{URL: address})
	require.NoError(t, err)
	require.False(t, store.SingleServer())
	name := databaseName(t, address)

	cluster.Exec(t, "ALTER DATABASE "+name+" WITH ALLOW_CONNECTIONS false")
	cluster.Exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+name+"'")
	for range 20 { // more than the pool has connections
		_, err = store.Release(ctx, "log", 1)
		require.Equal(t, skipper.CodeUnavailable, skipper.CodeOf(err), "%v", err)
	}
	_, _, err = store.EnsureRepository(ctx, skipper.Repository{Name: "local"})
	require.Equal(t, skipper.CodeUnavailable, skipper.CodeOf(err), "%v", err)
	require.Equal(t, skipper.CodeUnavailable, skipper.CodeOf(store.Ping(ctx)))
	_, _, err = store.Accept(ctx, skipper.Operation{ID: "op"}, nil, 0)
	require.Equal(t, skipper.CodeUnavailable, skipper.CodeOf(err), "%v", err)

	cluster.Exec(t, "ALTER DATABASE "+name+" WITH ALLOW_CONNECTIONS true")
	require.NoError(t, store.Ping(ctx))
	_, err = store.Release(ctx, "log", 1)
	require.Equal(t, skipper.CodeReleaseNotFound, skipper.CodeOf(err), "%v", err)
}

func TestPostgres_ServersThatStartTogetherMigrateOnce(t *testing.T) {
	t.Parallel()
	address := cluster.Database(t)
	cluster.Exec(t, "DROP DATABASE "+databaseName(t, address))
	cluster.Exec(t, "CREATE DATABASE "+databaseName(t, address))
	var mu sync.Mutex
	installations := map[string]bool{}
	var servers sync.WaitGroup
	for range 8 {
		servers.Go(func() {
			store, err := openStore(t, repository.Config{URL: address})
			if err != nil {
				t.Error(err)
				return
			}
			id, err := store.Installation(t.Context())
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			installations[id] = true
		})
	}
	servers.Wait()
	require.Len(t, installations, 1)
}

func TestPostgres_TextsItCannotKeepAreTheCallersMistake(t *testing.T) {
	t.Parallel()
	store, err := openStore(t, repository.Config{URL: cluster.Database(t)})
	require.NoError(t, err)
	for _, name := range []string{"a\x00b", "a\xffb"} {
		_, _, err = store.EnsureRepository(t.Context(), skipper.Repository{Name: name})
		require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err), "%v", err)
		_, err = store.ReleaseHistory(t.Context(), name)
		require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err), "%v", err)
	}
}
