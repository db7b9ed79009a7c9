//go:build !faults

package app

import (
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/repository"
)

// storage is the store as the services get it. A build with the tag faults puts failpoints around its writes; this one
// has none.
type storage = *repository.Store

// faults does nothing in a server that is not made to fail.
type faults struct{}

func newFaults([]string, func() time.Time) (faults, error) { return faults{}, nil }

func (faults) store(s *repository.Store) storage { return s }

func (faults) accounts(as deployer.Accounts, _ string) deployer.Accounts { return as }
