package docker

import (
	"context"
	"fmt"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// Validate finds everything that can be known to be wrong without asking the engine.
func (d *Deployer) Validate(_ context.Context, r deployer.Request) error {
	if _, err := parseImage(r.Resource); err != nil {
		return err
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
	if name := nameOf(r, s); !containerName.MatchString(name) {
		check(fmt.Errorf("%q cannot be the name of a container: letters, digits, dots, dashes and underscores are due; "+
			"give another one in %s", name, nameKey))
	}
	_, err = limits(r)
	check(err)
	check(d.checkPorts(r, s))
	check(deployer.CheckProperties(r.Properties))
	return join(problems)
}

// checkPorts refuses several instances on one port of the machine, where the reference lets all but one fail.
func (d *Deployer) checkPorts(r deployer.Request, s Settings) error {
	if r.Count < 0 {
		return fmt.Errorf("%s is %d; it must not be negative", deployer.CountKey, r.Count)
	}
	port, fixed, err := deployer.FixedPort(r.Properties)
	switch {
	case err != nil:
		return err
	case !fixed && s.Network == hostNetwork && d.Ports == nil:
		return fmt.Errorf("in the network host every container needs a port of its own; set the application property %s",
			deployer.PortProperty)
	case fixed && port > 0 && r.Count > 1 && (s.SamePort || s.Network == hostNetwork):
		return fmt.Errorf("%s is fixed to %d, which %d instances cannot share; leave it out to have ports chosen",
			deployer.PortProperty, port, r.Count)
	case r.Count > 1 && published(s.Network) && fixedMapping(s) != "":
		return fmt.Errorf("port-mappings: %q is one port, which %d instances cannot share; leave out its first number to "+
			"have one chosen", fixedMapping(s), r.Count)
	}
	return nil
}
