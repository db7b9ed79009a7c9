package app

import (
	"context"
	"io"
	"path/filepath"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer/local"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/repository"
	"github.com/skiff-project/skiff/server/config"
)

// Archive backs up the store of a server, and restores it, without the server.
type Archive struct {
	Version string
	Environ []string
	Err     io.Writer // the log
	Clock   func() time.Time
}

// Backup writes all that a server keeps, as it is at one moment; the server may run meanwhile. file is a configuration
// file, empty for the usual one; a nil dataDir leaves it to the configuration. tell hears of each table and how many of
// its rows are done.
func (a Archive) Backup(ctx context.Context, file string, dataDir *string, to io.Writer, tell func(string, int64),
) (skipper.Backup, error) {
	c, records, err := a.place(ctx, file, dataDir)
	if err != nil {
		return skipper.Backup{}, err
	}
	return repository.Backup(ctx, c, records, a.Version, to, tell)
}

// Restore brings a backup into an empty store, of whichever database the configuration names. No server may run on it.
func (a Archive) Restore(ctx context.Context, file string, dataDir *string, from io.ReadSeeker, tell func(string, int64),
) (skipper.Backup, error) {
	c, records, err := a.place(ctx, file, dataDir)
	if err != nil {
		return skipper.Backup{}, err
	}
	return repository.Restore(ctx, c, records, from, tell)
}

// place finds the store and the data folder as a server with the same settings does.
func (a Archive) place(ctx context.Context, file string, dataDir *string) (repository.Config, local.Records, error) {
	c, warnings, err := config.Load(config.Options{File: file, Environ: a.Environ, Flags: flags(Options{DataDir: dataDir})})
	if err != nil {
		return repository.Config{}, local.Records{}, &skipper.Error{Code: skipper.CodeInvalid, Message: err.Error()}
	}
	log := newLogger(c.Log, a.Err)
	for _, w := range warnings {
		log.WarnContext(ctx, "configuration", "warning", w)
	}
	dir, err := filepath.Abs(c.Data.Dir)
	if err != nil {
		return repository.Config{}, local.Records{}, skipper.Errorf(skipper.CodeInvalid, "data.dir cannot be found: %w", err)
	}
	return repository.Config{URL: string(c.Database.URL), Dir: dir, Clock: a.Clock, Logger: log}, local.Records{DataDir: dir}, nil
}
