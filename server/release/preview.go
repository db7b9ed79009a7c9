package release

import (
	"context"

	"github.com/skiff-project/skiff/pkg/manifest"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// Preview tells what it takes to bring a release to the package and values of a request, and what that would change:
// nothing is accepted, kept or asked of a platform but how many instances run. A release that is not there or was
// deleted is installed, another one upgraded; CodeConflict for one on another platform account. While an operation runs
// on the release it tells what follows from the newest version that stands.
func (s *Service) Preview(ctx context.Context, req skipper.InstallRequest) (skipper.Preview, error) {
	if err := checkPreview(req); err != nil {
		return skipper.Preview{}, err
	}
	props := req.InstallProperties
	existing, err := s.standing(ctx, props.ReleaseName)
	switch {
	case skipper.CodeOf(err) == skipper.CodeReleaseNotFound,
		err == nil && existing.Info.Status.StatusCode == skipper.StatusDeleted:
		p, err := s.planInstallation(ctx, command{Install: &req})
		if err != nil {
			return skipper.Preview{}, err
		}
		return preview(skipper.PreviewInstall, "", *p.release)
	case err != nil:
		return skipper.Preview{}, err
	case existing.PlatformName != props.PlatformName:
		return skipper.Preview{}, skipper.Errorf(skipper.CodeConflict, "Release [%s] is on platform account %s and cannot "+
			"move to %s: delete it first, or name its account", existing.Name, existing.PlatformName, props.PlatformName)
	}
	p, err := s.planUpgradeTo(ctx, skipper.UpgradeRequest{
		PackageIdentifier: req.PackageIdentifier,
		UpgradeProperties: &skipper.UpgradeProperties{ReleaseName: props.ReleaseName, ConfigValues: props.ConfigValues},
	})
	switch {
	case skipper.CodeOf(err) == skipper.CodeReleaseUpgrade:
		return preview(skipper.PreviewNone, existing.Manifest.Data, existing)
	case err != nil:
		return skipper.Preview{}, err
	}
	return preview(skipper.PreviewUpgrade, existing.Manifest.Data, *p.release)
}

func checkPreview(req skipper.InstallRequest) error {
	if req.InstallProperties == nil {
		return skipper.Errorf(skipper.CodeInvalid, "Install properties must not be null")
	}
	if err := checkInstall(*req.InstallProperties); err != nil {
		return err
	}
	if req.PackageIdentifier == nil {
		return skipper.Errorf(skipper.CodeConflict, "Package identifier must not be null")
	}
	return blank(req.PackageIdentifier.PackageName, "Package name must not be empty")
}

func preview(action skipper.PreviewAction, existing string, rel skipper.Release) (skipper.Preview, error) {
	diff, err := manifest.DiffOf(existing, rel.Manifest.Data)
	if err != nil {
		return skipper.Preview{}, refused(err)
	}
	return skipper.Preview{
		Action: action, Name: rel.Name, Version: rel.Version, PlatformName: rel.PlatformName,
		PackageName: rel.Pkg.Metadata.Name, PackageVersion: rel.Pkg.Metadata.Version, Diff: diff.Text(),
	}, nil
}
