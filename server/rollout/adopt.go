package rollout

import (
	"context"
	"fmt"
	"slices"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/manifest"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// Adopted gives a release version as it is when it has taken in a deployment that was found with its mark, and the
// deployment as it is kept. CodeConflict says why it cannot: it is on another account, the version has no such
// application or asks for it in another way, or that application is deployed already.
func (r *Rollout) Adopted(ctx context.Context, rel skipper.Release, d skipper.Deployment,
) (skipper.Release, skipper.Deployment, error) {
	if rel.PlatformName != d.Account {
		return rel, d, skipper.Errorf(skipper.CodeConflict, "version %d of release %s is on account %s",
			rel.Version, rel.Name, rel.PlatformName)
	}
	var apps []manifest.Application
	if rel.Manifest != nil {
		var err error
		if apps, _, err = manifest.Parse(rel.Manifest.Data); err != nil {
			return rel, d, fmt.Errorf("read manifest of %s version %d: %w", rel.Name, rel.Version, err)
		}
	}
	at := slices.IndexFunc(apps, func(a manifest.Application) bool { return a.Name == d.App })
	if at < 0 {
		return rel, d, skipper.Errorf(skipper.CodeConflict, "version %d of release %s has no application %s",
			rel.Version, rel.Name, d.App)
	}
	hash, err := r.fits(ctx, rel, apps[at], d)
	if err != nil {
		return rel, d, err
	}
	known := deployed(rel)
	known[d.App], d.SpecHash, d.Due = d.DeploymentID, hash, r.careOf(d.Account)
	rel.Apps = nil
	for _, app := range apps { // in the order of the manifest
		if id, ok := known[app.Name]; ok {
			rel.Apps = append(rel.Apps, skipper.AppDeployment{App: app.Name, ID: id})
		}
	}
	return rel, d, nil
}

// fits gives the hash of what a version asks for an application; CodeConflict when a deployment is not that, or when
// the application has another one.
func (r *Rollout) fits(ctx context.Context, rel skipper.Release, app manifest.Application, d skipper.Deployment,
) (string, error) {
	account, err := r.accounts.Named(d.Account)
	if err != nil {
		return "", err
	}
	req, err := r.Request(rel, app)
	if err != nil {
		return "", err
	}
	id, err := account.Deployer.ID(req)
	if err != nil {
		return "", skipper.Errorf(skipper.CodeConflict, "%w", err)
	}
	hash := deployer.SpecHash(req)
	if id != d.DeploymentID || (d.SpecHash != "" && d.SpecHash != hash) {
		return "", skipper.Errorf(skipper.CodeConflict, "version %d of release %s asks for application %s in another way",
			rel.Version, rel.Name, app.Name)
	}
	known := deployed(rel)[app.Name]
	rows, err := r.store.Deployments(ctx, d.Account, []string{known})
	if err != nil {
		return "", fmt.Errorf("load deployments: %w", err)
	}
	if len(rows) > 0 {
		return "", skipper.Errorf(skipper.CodeConflict, "application %s of release %s is deployed as %s already",
			app.Name, rel.Name, known)
	}
	return hash, nil
}
