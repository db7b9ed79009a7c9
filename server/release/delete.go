package release

import (
	"context"
	"errors"
	"fmt"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// Delete removes the applications of the version that stands; with withPackage the package goes too, in all its
// versions, which is checked first. It returns when nothing runs any more.
func (s *Service) Delete(ctx context.Context, name string, withPackage bool, o skipper.CommandOptions,
) (skipper.Release, skipper.Operation, error) {
	return s.run(ctx, command{Delete: &deletion{Release: name, WithPackage: withPackage}}, o)
}

func (s *Service) planDelete(ctx context.Context, d deletion) (planned, error) {
	name := d.Release
	rel, err := s.store.LatestRelease(ctx, name, skipper.StatusDeployed)
	if err != nil {
		return planned{}, fmt.Errorf("look for release %q: %w", name, err)
	}
	latest, err := s.store.LatestRelease(ctx, name)
	if err != nil {
		return planned{}, fmt.Errorf("look for release %q: %w", name, err)
	}
	op := skipper.Operation{
		Kind: skipper.KindDelete, ReleaseName: name, SourceVersion: rel.Version, TargetVersion: rel.Version,
		Plan: skipper.Plan{Account: rel.PlatformName},
	}
	if d.WithPackage {
		if err := s.checkPackage(ctx, rel); err != nil {
			return planned{}, err
		}
		op.Plan.Package = rel.Pkg.Metadata.Name
	}
	if op, err = s.operation(ctx, op); err != nil {
		return planned{}, err
	}
	return planned{op, nil, latest.Version}, nil
}

func (s *Service) checkPackage(ctx context.Context, rel skipper.Release) error {
	m := rel.Pkg.Metadata
	if m.RepositoryID != nil {
		repo, err := s.catalog.Repository(ctx, *m.RepositoryID)
		if err == nil && !repo.Local {
			return skipper.Errorf(skipper.CodePackageDelete, "Can't delete package: %s from non-local repository", m.Name)
		}
	}
	return s.catalog.CheckDeletePackage(ctx, m.Name, rel.Name)
}

// Cancel asks what runs on a release to stop and undo what it did. Accepted means that it will.
func (s *Service) Cancel(ctx context.Context, req skipper.CancelRequest,
) (skipper.CancelResponse, *skipper.Operation, error) {
	if req.ReleaseName == "" {
		return skipper.CancelResponse{}, nil, skipper.Errorf(skipper.CodeInvalid, "releaseName must not be empty")
	}
	op, err := s.store.RequestCancel(ctx, req.ReleaseName, s.ops.Cancellable())
	if err != nil {
		return skipper.CancelResponse{}, nil, fmt.Errorf("cancel what runs on %q: %w", req.ReleaseName, err)
	}
	s.ops.Wake()
	return skipper.CancelResponse{Accepted: op != nil}, op, nil
}

// Scale sets the instance counts of applications of the version that stands. Names that it has not are ignored.
func (s *Service) Scale(ctx context.Context, name string, req skipper.ScaleRequest, o skipper.CommandOptions,
) (skipper.Release, skipper.Operation, error) {
	for _, item := range req.Scale {
		if item.Count == nil || *item.Count < 0 || *item.Count > 1000 {
			return fails(skipper.Errorf(skipper.CodeConflict,
				"The count of application [%s] must be a number from 0 to 1000", item.Name))
		}
	}
	rel, op, err := s.run(ctx, command{Scale: &scaling{Release: name, Request: req}}, o)
	if errors.Is(err, errNothing) { // nothing runs that could be scaled: unchanged, as in Skipper
		latest, err := s.store.LatestRelease(ctx, name)
		return latest, skipper.Operation{}, err
	}
	return rel, op, err
}

func (s *Service) planScale(ctx context.Context, c scaling) (planned, error) {
	latest, err := s.store.LatestRelease(ctx, c.Release)
	if err != nil {
		return planned{}, fmt.Errorf("look for release %q: %w", c.Release, err)
	}
	rel, err := s.store.LatestRelease(ctx, c.Release, skipper.StatusDeployed)
	if skipper.CodeOf(err) == skipper.CodeReleaseNotFound {
		return planned{}, errNothing
	} else if err != nil {
		return planned{}, fmt.Errorf("look for release %q: %w", c.Release, err)
	}
	op, err := s.operation(ctx, skipper.Operation{
		Kind: skipper.KindScale, ReleaseName: c.Release, SourceVersion: rel.Version, TargetVersion: rel.Version,
		Plan: skipper.Plan{Account: rel.PlatformName, Scale: c.Request.Scale},
	})
	return planned{op, nil, latest.Version}, err
}

// errNothing ends a plan that has nothing to do.
var errNothing = skipper.Errorf(skipper.CodeCancelled, "there is nothing to do")
