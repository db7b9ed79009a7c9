package repository_test

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/skiff-project/skiff/repository"
	"github.com/skiff-project/skiff/repository/postgrestest"
)

// cluster is the PostgreSQL of this package's tests.
var cluster = postgrestest.Cluster{Migrate: migrate}

func TestMain(m *testing.M) { goleak.VerifyTestMain(run{m}) }

type run struct{ m *testing.M }

// Run stops the cluster before leaks are looked for.
func (r run) Run() int { return cluster.Run(r.m) }

func migrate(ctx context.Context, url string) error {
	config := repository.Config{URL: url, Clock: time.Now, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	store, err := repository.Open(ctx, config)
	if err != nil {
		return err
	}
	return store.Close()
}
