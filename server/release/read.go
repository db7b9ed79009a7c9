package release

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// get gives a version of a release; 0 means the newest, whatever its status.
func (s *Service) get(ctx context.Context, name string, version int) (skipper.Release, error) {
	if version == 0 {
		return s.store.LatestRelease(ctx, name)
	}
	return s.store.Release(ctx, name, version)
}

// Status gives the status of a release version as the platform says now; version 0 means the newest. Where the platform
// cannot be asked, what it said last. Whatever the version, it tells what still drains of the release.
func (s *Service) Status(ctx context.Context, name string, version int) (skipper.Info, error) {
	rel, err := s.get(ctx, name, version)
	if err != nil {
		return skipper.Info{}, fmt.Errorf("look for release %q: %w", name, err)
	}
	info := s.live(ctx, rel)
	if info.Draining, err = s.platforms.Draining(ctx, rel.Name); err != nil {
		return skipper.Info{}, fmt.Errorf("look for what drains of release %q: %w", name, err)
	}
	return info, nil
}

func (s *Service) live(ctx context.Context, rel skipper.Release) skipper.Info {
	if rel.Info.Status.StatusCode == skipper.StatusDeleted || rel.Apps == nil {
		return rel.Info
	}
	apps, err := s.platforms.PlatformStatus(ctx, rel)
	if err != nil {
		return rel.Info
	}
	text := skipper.PlatformStatusOf(apps)
	if old := rel.Info.Status.PlatformStatus; old == nil || *old != text {
		// As in Skipper, what was asked is what lists show next. It is a copy: not having kept it harms nobody.
		_ = s.store.SetPlatformStatus(ctx, rel.ID, text)
	}
	rel.Info.Status.PlatformStatus = &text
	return rel.Info
}

// Statuses gives the live status of the newest version of each release; names that are not known are left out.
func (s *Service) Statuses(ctx context.Context, names []string) (map[string]skipper.Info, error) {
	releases, err := s.store.ReleasesNamed(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("look for releases: %w", err)
	}
	infos := make([]skipper.Info, len(releases))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i, rel := range releases {
		group.Go(func() error {
			infos[i] = s.live(ctx, rel)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	out := make(map[string]skipper.Info, len(releases))
	for i, rel := range releases {
		out[rel.Name] = infos[i]
	}
	return out, nil
}

// States gives the state of each deployment of the newest version of each release; nothing for one that is deleted or
// was never deployed.
func (s *Service) States(ctx context.Context, names []string) (map[string]map[string]skipper.DeploymentState, error) {
	releases, err := s.store.ReleasesNamed(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("look for releases: %w", err)
	}
	out := make(map[string]map[string]skipper.DeploymentState, len(releases))
	for _, rel := range releases {
		states := map[string]skipper.DeploymentState{}
		if rel.Info.Status.StatusCode != skipper.StatusDeleted {
			for _, a := range s.live(ctx, rel).Status.AppStatuses() {
				states[a.DeploymentID] = a.State
			}
		}
		out[rel.Name] = states
	}
	return out, nil
}

// Manifest gives the manifest of a release version; version 0 means the newest.
func (s *Service) Manifest(ctx context.Context, name string, version int) (skipper.Manifest, error) {
	rel, err := s.get(ctx, name, version)
	if err != nil {
		return skipper.Manifest{}, fmt.Errorf("look for release %q: %w", name, err)
	}
	if rel.Manifest == nil {
		return skipper.Manifest{}, nil
	}
	return *rel.Manifest, nil
}

// Logs gives the logs of the newest version by deployment id, or of one deployment of it, whose id may be in any case.
func (s *Service) Logs(ctx context.Context, name, deploymentID string) (skipper.LogInfo, error) {
	rel, err := s.get(ctx, name, 0)
	if err != nil {
		return skipper.LogInfo{}, fmt.Errorf("look for release %q: %w", name, err)
	}
	if rel.Info.Status.StatusCode == skipper.StatusDeleted {
		return skipper.LogInfo{Logs: map[string]string{}}, nil
	}
	logs, err := s.platforms.Logs(ctx, rel, s.config.LogLimit, func(id string) bool {
		return deploymentID == "" || strings.EqualFold(id, deploymentID)
	})
	return skipper.LogInfo{Logs: logs}, err
}

// Listed gives every version that is deployed or failed, of releases whose name contains a part.
func (s *Service) Listed(ctx context.Context, part string) ([]skipper.Release, error) {
	return s.store.ReleasesContaining(ctx, part, skipper.StatusDeployed, skipper.StatusFailed)
}

// History gives all versions of releases whose name contains a part, the newest of each first.
func (s *Service) History(ctx context.Context, part string) ([]skipper.Release, error) {
	return s.store.ReleaseHistory(ctx, part)
}

// Releases gives a page of all versions.
func (s *Service) Releases(ctx context.Context, page skipper.PageRequest) (skipper.Page[skipper.Release], error) {
	return s.store.Releases(ctx, page)
}

// ReleaseByID gives one version.
func (s *Service) ReleaseByID(ctx context.Context, id int64) (skipper.Release, error) {
	return s.store.ReleaseByID(ctx, id)
}
