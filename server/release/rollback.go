package release

import (
	"context"
	"fmt"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// Rollback makes a new version from the package and the values of an earlier one: as an upgrade where the release
// stands, as an install where it is deleted. Version 0 means the one before the present one.
func (s *Service) Rollback(ctx context.Context, req skipper.RollbackRequest, o skipper.CommandOptions,
) (skipper.Release, skipper.Operation, error) {
	if err := blank(req.ReleaseName, "Release name must not be empty"); err != nil {
		return fails(err)
	}
	if req.Version == nil {
		return fails(skipper.Errorf(skipper.CodeConflict, "Rollback version must not be null; 0 means the version before"))
	}
	if *req.Version < 0 {
		return fails(skipper.Errorf(skipper.CodeConflict,
			"Rollback version can not be less than zero.  Value = %d", *req.Version))
	}
	if err := checkTimeout(req.Timeout); err != nil {
		return fails(err)
	}
	return s.run(ctx, command{Rollback: &req, HealthGate: o.HealthGate}, o)
}

func (s *Service) planRollback(ctx context.Context, c command) (planned, error) {
	req := *c.Rollback
	current, err := s.standing(ctx, req.ReleaseName)
	if err != nil {
		return planned{}, err
	}
	goal, err := s.rollbackTo(ctx, current, *req.Version)
	if err != nil {
		return planned{}, err
	}
	m, err := s.catalog.Find(ctx, skipper.PackageIdentifier{
		PackageName: goal.Pkg.Metadata.Name, PackageVersion: goal.Pkg.Metadata.Version,
	})
	if err != nil {
		return planned{}, err
	}
	op := skipper.Operation{Kind: skipper.KindRollback, SourceVersion: current.Version}
	if current.Info.Status.StatusCode == skipper.StatusDeleted {
		latest, err := s.freeName(ctx, req.ReleaseName)
		if err != nil {
			return planned{}, err
		}
		op.Plan.Install = true
		if c.HealthGate {
			op.Plan.HealthGate, op.Plan.Timeout = true, s.timeout(req.Timeout)
		}
		return s.planInstall(ctx, m, skipper.InstallProperties{
			ReleaseName: goal.Name, ConfigValues: &goal.ConfigValues, PlatformName: goal.PlatformName,
		}, latest, op)
	}
	return s.planUpgrade(ctx, current, m, skipper.UpgradeRequest{
		UpgradeProperties: &skipper.UpgradeProperties{ReleaseName: goal.Name, ConfigValues: &goal.ConfigValues},
		Timeout:           req.Timeout,
	}, op)
}

// rollbackTo gives the version a rollback goes back to.
func (s *Service) rollbackTo(ctx context.Context, current skipper.Release, version int) (skipper.Release, error) {
	if version == 0 {
		return s.before(ctx, current)
	}
	goal, err := s.store.Release(ctx, current.Name, version)
	if err != nil {
		return goal, fmt.Errorf("look for the version to roll back to: %w", err)
	}
	switch goal.Info.Status.StatusCode {
	case skipper.StatusDeployed, skipper.StatusDeleted:
		return goal, nil
	case skipper.StatusFailed, skipper.StatusUnknown:
	}
	return goal, skipper.Errorf(skipper.CodeConflict, "Rollback version should either be in deployed or deleted status.")
}

// before gives the newest deployed or deleted version before the current one.
func (s *Service) before(ctx context.Context, current skipper.Release) (skipper.Release, error) {
	for version := current.Version - 1; version > 0; version-- {
		rel, err := s.store.Release(ctx, current.Name, version)
		if skipper.CodeOf(err) == skipper.CodeReleaseNotFound {
			continue // a failed install leaves no row
		} else if err != nil {
			return rel, fmt.Errorf("look for the version to roll back to: %w", err)
		}
		if code := rel.Info.Status.StatusCode; code == skipper.StatusDeployed || code == skipper.StatusDeleted {
			return rel, nil
		}
	}
	return skipper.Release{}, skipper.ReleaseNotFound(current.Name, 0)
}
