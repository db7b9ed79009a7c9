package edgegap

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// Validate finds everything that can be known to be wrong without asking Edgegap.
func (d *Deployer) Validate(_ context.Context, r deployer.Request) error {
	if _, err := parseImage(r.Resource, true); errors.Is(err, deployer.ErrUnsupported) {
		return err // not for this platform at all
	}
	s, wrong := d.spec(r)
	id, err := d.ID(r)
	if err != nil {
		wrong = append(wrong, err)
	}
	if r.Count < 0 {
		wrong = append(wrong, fmt.Errorf("%s is %d; it must not be negative", deployer.CountKey, r.Count))
	}
	if most := d.Settings.MaxPerApp; most > 0 && r.Count > most {
		wrong = append(wrong, fmt.Errorf("%s is %d; the account allows %d (max-instances-per-app)", deployer.CountKey, r.Count,
			most))
	}
	if name := d.applicationOf(r, s); len(d.Settings.Allowed) > 0 && !slices.Contains(d.Settings.Allowed, name) {
		wrong = append(wrong, fmt.Errorf("application %s is not one that the account allows (allowed-applications); set "+
			"%sapplication to one of those", name, prefix))
	}
	if err == nil && whoseTags(r.Owner, id) == nil {
		wrong = append(wrong, fmt.Errorf("release %q and application %q have names too long for tags; shorten them",
			r.Owner.Release, r.Owner.App))
	}
	return problems(wrong)
}
