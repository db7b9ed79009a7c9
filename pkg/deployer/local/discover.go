package local

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// Discover lists the deployments of the account that have a live process, also one that only a process of theirs
// started. Processes of other machines are theirs to list.
func (d *Deployer) Discover(_ context.Context, filter deployer.Owner) ([]deployer.Found, error) {
	if filter.Installation == "" {
		return nil, deployer.Errorf(deployer.ErrInvalid, "discover needs the installation")
	}
	all, err := processes()
	if err != nil {
		return nil, err
	}
	found := map[string]deployer.Found{}
	for _, p := range all {
		if p.mark.owner.Account != d.Account || !p.mark.owner.Matches(filter) {
			continue
		}
		since := startTime(p)
		if known, ok := found[p.mark.id]; !ok || since.Before(known.Since) {
			found[p.mark.id] = deployer.Found{Owner: p.mark.owner, ID: p.mark.id, SpecHash: p.mark.hash, Since: since}
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b deployer.Found) int { return strings.Compare(a.ID, b.ID) }), nil
}
