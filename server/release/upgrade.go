package release

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/skiff-project/skiff/pkg/manifest"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/templates"
)

// Upgrade makes the next version of a release from another package version, other values, or by force. It returns when
// the new applications were handed to the platform; their health decides later which version stands.
func (s *Service) Upgrade(ctx context.Context, req skipper.UpgradeRequest, o skipper.CommandOptions,
) (skipper.Release, skipper.Operation, error) {
	if req.UpgradeProperties == nil {
		return fails(skipper.Errorf(skipper.CodeInvalid, "Upgrade properties must not be null"))
	}
	if err := blank(req.UpgradeProperties.ReleaseName, "Release name must not be empty"); err != nil {
		return fails(err)
	}
	if err := checkTimeout(req.Timeout); err != nil {
		return fails(err)
	}
	return s.run(ctx, command{Upgrade: &req}, o)
}

func (s *Service) planUpgradeTo(ctx context.Context, req skipper.UpgradeRequest) (planned, error) {
	existing, err := s.standing(ctx, req.UpgradeProperties.ReleaseName)
	if err != nil {
		return planned{}, err
	}
	if req.PackageIdentifier == nil {
		return planned{}, skipper.Errorf(skipper.CodeConflict, "Package identifier must not be null")
	}
	if err := blank(req.PackageIdentifier.PackageName, "Package name must not be empty"); err != nil {
		return planned{}, err
	}
	m, err := s.catalog.Find(ctx, *req.PackageIdentifier)
	if err != nil {
		return planned{}, err
	}
	return s.planUpgrade(ctx, existing, m, req, skipper.Operation{Kind: skipper.KindUpgrade})
}

// handedOver says that the new applications were handed to the platform, or that they could not be.
func handedOver(op skipper.Operation) bool {
	switch op.State {
	case skipper.StateQueued, skipper.StateRollbackStart, skipper.StateUpgradeStart, skipper.StateUpgradeDeploy,
		skipper.StateInstall, skipper.StateInstallWait, skipper.StateCompensate, skipper.StateDelete, skipper.StateScale, skipper.StateRenew,
		skipper.StateInitial:
		return false
	case skipper.StateUpgradeWait, skipper.StateUpgradeCheck, skipper.StateUpgradeSucceed, skipper.StateUpgradeFailed,
		skipper.StateUpgradeCancel, skipper.StateUpgradeDelete:
	}
	return true
}

// standing gives the newest version that is deployed or deleted; CodeReleaseNotFound when there is none.
func (s *Service) standing(ctx context.Context, name string) (skipper.Release, error) {
	rel, err := s.store.LatestRelease(ctx, name, skipper.StatusDeployed, skipper.StatusDeleted)
	if err != nil {
		return rel, fmt.Errorf("look for release %q: %w", name, err)
	}
	return rel, nil
}

// planUpgrade decides what an upgrade of existing to a package with values would change (skipper-core.md 4.5).
func (s *Service) planUpgrade(ctx context.Context, existing skipper.Release, m skipper.PackageMetadata,
	req skipper.UpgradeRequest, op skipper.Operation,
) (planned, error) {
	latest, err := s.store.LatestRelease(ctx, existing.Name)
	if err != nil {
		return planned{}, fmt.Errorf("look for release %q: %w", existing.Name, err)
	}
	p, err := s.catalog.Load(ctx, m)
	if err != nil {
		return planned{}, refused(err)
	}
	values, err := templates.MergeOverrides(latest.ConfigValues.Text(), req.UpgradeProperties.ConfigValues.Text())
	if err != nil {
		return planned{}, refused(err)
	}
	rel, err := s.version(ctx, existing.Name, p, values, existing.PlatformName)
	if err != nil {
		return planned{}, err
	}
	rel.Info.Description = "Upgrade install underway"
	if op.Kind == skipper.KindRollback {
		rel.Info.Description = "Rollback install underway"
	}
	diff, err := s.render(ctx, existing, &rel, req)
	if err != nil {
		return planned{}, err
	}
	op.ReleaseName, op.SourceVersion, op.TargetVersion = rel.Name, existing.Version, rel.Version
	op.Plan.Account, op.Plan.Timeout = rel.PlatformName, s.timeout(req.Timeout)
	op.Plan.Apps, op.Plan.Drop = diff.deploy, diff.drop
	if op, err = s.operation(ctx, op); err != nil {
		return planned{}, err
	}
	return planned{op, &rel, latest.Version}, nil
}

// change is what an upgrade does to applications.
type change struct {
	deploy []string // from the new manifest, in its order
	drop   []string // of the existing release
}

// render fills in the manifest of a new version and tells what it changes in the existing one: rendered once to compare,
// once more with the instance counts of what runs, which an upgrade keeps.
func (s *Service) render(ctx context.Context, existing skipper.Release, rel *skipper.Release, req skipper.UpgradeRequest,
) (change, error) {
	text, err := templates.Render(rel.Pkg, rel.ConfigValues.Text())
	if err != nil {
		return change{}, refused(err)
	}
	rel.Manifest = &skipper.Manifest{Data: text}
	if err := s.checkManifest(ctx, *rel); err != nil {
		return change{}, err
	}
	diff, err := s.compare(existing, *rel, req)
	if err != nil {
		return diff, err
	}
	counts, err := s.counts(ctx, existing, diff)
	if err != nil {
		return diff, err
	}
	if text, err = templates.RenderWithCounts(rel.Pkg, rel.ConfigValues.Text(), counts); err != nil {
		return diff, refused(err)
	}
	rel.Manifest = &skipper.Manifest{Data: text}
	return diff, nil
}

// compare tells what a new version changes. Nothing of a deleted release runs: all applications are deployed.
func (s *Service) compare(existing, rel skipper.Release, req skipper.UpgradeRequest) (change, error) {
	if existing.Manifest == nil {
		return change{}, skipper.Errorf(skipper.CodeConflict, "Version %d of release [%s] has no manifest to compare with",
			existing.Version, existing.Name)
	}
	diff, err := manifest.Compare(existing.Manifest.Data, rel.Manifest.Data,
		manifest.Force{On: req.Force, Apps: req.AppNames})
	if err != nil {
		return change{}, refused(err)
	}
	if diff.None() && !req.Force {
		return change{}, skipper.Errorf(skipper.CodeReleaseUpgrade,
			"Package to upgrade has no difference than existing deployed/deleted package. Not upgrading.")
	}
	if existing.Info.Status.StatusCode != skipper.StatusDeleted {
		return change{diff.Deploy(), diff.Dropped}, nil
	}
	apps, _, err := manifest.Parse(rel.Manifest.Data)
	all := change{}
	for _, a := range apps {
		all.deploy = append(all.deploy, a.Name)
	}
	return all, err
}

// counts tells how many instances run of each application that is replaced. An application without any is left out: a
// release whose platform cannot be asked must not be scaled to nothing.
func (s *Service) counts(ctx context.Context, existing skipper.Release, diff change) (map[string]int, error) {
	out := map[string]int{}
	if existing.Info.Status.StatusCode == skipper.StatusDeleted {
		return out, nil
	}
	statuses, err := s.platforms.PlatformStatus(ctx, existing)
	if err != nil {
		return nil, skipper.Errorf(skipper.CodeUnavailable,
			"the platform cannot say how many instances of %s run: %w", existing.Name, err)
	}
	for i, a := range existing.Apps {
		if n := len(statuses[i].Instances); n > 0 && slices.Contains(diff.deploy, a.App) {
			out[a.App] = n
		}
	}
	return out, nil
}

// maxTimeout bounds how long an operation may wait for health: it has to end some day.
const maxTimeout = 30 * 24 * time.Hour

func checkTimeout(asked *int64) error {
	if asked != nil && (*asked < 0 || *asked > maxTimeout.Milliseconds()) {
		return skipper.Errorf(skipper.CodeInvalid,
			"timeout is %d; milliseconds from 0 to %d are due", *asked, maxTimeout.Milliseconds())
	}
	return nil
}

func (s *Service) timeout(asked *int64) int64 {
	if asked != nil {
		return *asked
	}
	return s.config.HealthTimeout.Milliseconds()
}
