package rollout

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// Instance gives where an instance of a release's application answers over HTTP, and the headers its platform account
// sends there. A URL with a path is that of the actuator. CodeNotFound when the release has no such deployment, or the
// instance is not deployed; CodeUnsupported when the platform cannot reach instances.
func (r *Rollout) Instance(ctx context.Context, rel skipper.Release, deploymentID, guid string,
) (*url.URL, http.Header, error) {
	i := slices.IndexFunc(rel.Apps, func(a skipper.AppDeployment) bool { return a.ID == deploymentID })
	if i < 0 {
		return nil, nil, skipper.Errorf(skipper.CodeNotFound, "app %s is not found in release %s", deploymentID, rel.Name)
	}
	account, err := r.accounts.Named(rel.PlatformName)
	if err != nil {
		return nil, nil, err
	}
	platform, ok := account.Deployer.(deployer.Actuator)
	if !ok {
		return nil, nil, skipper.Errorf(skipper.CodeUnsupported,
			"platform %q (%s) cannot reach the actuator of an application", account.Name, account.Deployer.Type())
	}
	handles, err := r.handles(ctx, account.Name, rel.Apps[i:i+1])
	if err != nil {
		return nil, nil, err
	}
	if len(handles) == 0 {
		return nil, nil, notDeployed(deploymentID, guid)
	}
	base, headers, err := platform.Instance(ctx, handles[0], guid)
	switch {
	case errors.Is(err, deployer.ErrNotFound):
		return nil, nil, notDeployed(deploymentID, guid)
	case err != nil && deployer.Retry(err):
		return nil, nil, skipper.Errorf(skipper.CodeUnavailable, "platform %q cannot be asked now: %w", account.Name, err)
	case err != nil:
		return nil, nil, skipper.Errorf(skipper.CodeConflict, "instance %s cannot be reached: %w", guid, err)
	}
	return base, headers, nil
}

// notDeployed has Skipper's sentence.
func notDeployed(deploymentID, guid string) error {
	return skipper.Errorf(skipper.CodeNotFound, "App with deploymentId %s and guid %s not deployed", deploymentID, guid)
}
