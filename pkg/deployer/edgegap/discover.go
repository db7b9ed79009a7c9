package edgegap

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// Discover lists the deployments whose instances Edgegap lists. The spec hash is not told: tags hold a part of it only.
func (d *Deployer) Discover(ctx context.Context, filter deployer.Owner) ([]deployer.Found, error) {
	if filter.Installation == "" {
		return nil, deployer.Errorf(deployer.ErrInvalid, "discover needs the installation")
	}
	if filter.Installation != d.Installation || filter.Account != "" && filter.Account != d.Account {
		return nil, nil // the marks of others are not asked for
	}
	listed, err := d.list(ctx, d.owner)
	if err != nil {
		return nil, fault("list the deployments of the account", err)
	}
	found := map[string]deployer.Found{}
	for _, item := range listed {
		owner, id, ok := d.whose(item.Tags)
		if !ok || !matches(filter, owner) {
			continue
		}
		m, _ := d.markOf(item.Tags)
		since := nonceTime(m.nonce)
		if known, there := found[id]; !there || since.Before(known.Since) {
			found[id] = deployer.Found{Owner: owner, ID: id, Since: since}
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b deployer.Found) int { return strings.Compare(a.ID, b.ID) }), nil
}

func matches(filter, o deployer.Owner) bool {
	return (filter.Release == "" || filter.Release == o.Release) &&
		(filter.Version == 0 || filter.Version == o.Version) &&
		(filter.App == "" || filter.App == o.App)
}
