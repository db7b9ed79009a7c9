package local

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// maxVariable is what Linux takes as one environment variable, less room for its name.
const maxVariable = 128<<10 - 64

const (
	jsonVariable = "SPRING_APPLICATION_JSON"
	portProperty = "server.port"
)

// Validate finds everything that can be known to be wrong without starting anything.
func (d *Deployer) Validate(_ context.Context, r deployer.Request) error {
	if scheme := r.Resource.Scheme(); scheme != "file" {
		return deployer.Errorf(deployer.ErrUnsupported,
			"resources with the scheme %s: are not supported by the local platform yet; use file:", scheme)
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
	check(checkJSON(r))
	return join(problems)
}

// checkCount refuses several instances on one fixed port, where the reference lets all but one fail.
func checkCount(r deployer.Request) error {
	if r.Count < 0 {
		return fmt.Errorf("%s is %d; it must not be negative", deployer.CountKey, r.Count)
	}
	port, fixed, err := fixedPort(r)
	if fixed && port > 0 && r.Count > 1 {
		return fmt.Errorf("%s is fixed to %d, which %d instances cannot share; leave it out to have ports chosen",
			portProperty, port, r.Count)
	}
	return err
}

// fixedPort is the port the application properties ask for; below 1 the application lets the system choose.
func fixedPort(r deployer.Request) (port int, fixed bool, err error) {
	text, fixed := r.Properties[portProperty]
	if !fixed {
		return 0, false, nil
	}
	if port, err = strconv.Atoi(text); err != nil || port > 65535 {
		return 0, true, fmt.Errorf("%s is %q; a port number is due", portProperty, text)
	}
	return port, true, nil
}

func checkJSON(r deployer.Request) error {
	if own := r.Properties[jsonVariable]; own != "" {
		var object map[string]any
		if err := json.Unmarshal([]byte(own), &object); err != nil {
			return fmt.Errorf("%s must be a JSON object: %w", jsonVariable, err)
		}
	}
	size := 0
	for name, value := range r.Properties {
		size += len(name) + len(value)
	}
	if size > maxVariable {
		return fmt.Errorf("the application properties have %d bytes; at most %d can be passed on", size, maxVariable)
	}
	return nil
}
