package local

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// Validate finds everything that can be known to be wrong without starting anything.
func (d *Deployer) Validate(_ context.Context, r deployer.Request) error {
	if scheme, known := r.Resource.Scheme(), d.Resolver.Schemes(); !slices.Contains(known, scheme) {
		return deployer.Errorf(deployer.ErrUnsupported,
			"resources with the scheme %s: are not supported by the local platform yet; use %s:", scheme,
			strings.Join(known, ":, "))
	}
	var problems []error
	check := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	_, err := d.ID(r)
	check(err)
	s, err := d.settings(r)
	check(err)
	problems = append(problems, s.check()...)
	_, err = maxHeap(r)
	check(err)
	check(checkCount(r))
	check(deployer.CheckProperties(r.Properties))
	return join(problems)
}

// checkCount refuses several instances on one fixed port, where the reference lets all but one fail.
func checkCount(r deployer.Request) error {
	if r.Count < 0 {
		return fmt.Errorf("%s is %d; it must not be negative", deployer.CountKey, r.Count)
	}
	port, fixed, err := deployer.FixedPort(r.Properties)
	if fixed && port > 0 && r.Count > 1 {
		return fmt.Errorf("%s is fixed to %d, which %d instances cannot share; leave it out to have ports chosen",
			deployer.PortProperty, port, r.Count)
	}
	return err
}
