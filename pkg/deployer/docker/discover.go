package docker

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// Discover lists the deployments of the account that have a container, be it one that has ended.
func (d *Deployer) Discover(ctx context.Context, filter deployer.Owner) ([]deployer.Found, error) {
	if filter.Installation == "" {
		return nil, deployer.Errorf(deployer.ErrInvalid, "discover needs the installation")
	}
	all, err := d.listAll(ctx, "")
	if err != nil {
		return nil, err
	}
	found := map[string]deployer.Found{}
	for id, containers := range all {
		for _, i := range containers {
			since := time.Unix(i.Created, 0).UTC()
			if known, ok := found[id]; i.owner.Matches(filter) && (!ok || since.Before(known.Since)) {
				found[id] = deployer.Found{Owner: i.owner, ID: id, SpecHash: i.hash, Since: since}
			}
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b deployer.Found) int { return strings.Compare(a.ID, b.ID) }), nil
}
