package release

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/manifest"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/templates"
)

// Install makes the first version of a release, or the next one after it was deleted. It returns when the platform
// accepted the applications; CodeConflict when it did not, and then no release version remains.
func (s *Service) Install(ctx context.Context, req skipper.InstallRequest, o skipper.CommandOptions,
) (skipper.Release, skipper.Operation, error) {
	if req.InstallProperties == nil {
		return fails(skipper.Errorf(skipper.CodeInvalid, "Install properties must not be null"))
	}
	if err := checkInstall(*req.InstallProperties); err != nil {
		return fails(err)
	}
	if req.PackageIdentifier == nil {
		return fails(skipper.Errorf(skipper.CodeConflict, "Package identifier must not be null"))
	}
	if err := blank(req.PackageIdentifier.PackageName, "Package name must not be empty"); err != nil {
		return fails(err)
	}
	return s.install(ctx, command{Install: &req}, o)
}

// InstallPackage is Install of the package with an id. Unlike Skipper it refuses a name that is in use.
func (s *Service) InstallPackage(ctx context.Context, packageID int64, props skipper.InstallProperties,
	o skipper.CommandOptions,
) (skipper.Release, skipper.Operation, error) {
	c := command{Install: &skipper.InstallRequest{InstallProperties: &props}, PackageID: packageID}
	if _, err := s.packageOf(ctx, c); err != nil {
		return fails(err)
	}
	if err := checkInstall(props); err != nil {
		return fails(err)
	}
	return s.install(ctx, c, o)
}

func (s *Service) install(ctx context.Context, c command, o skipper.CommandOptions,
) (skipper.Release, skipper.Operation, error) {
	if err := checkTimeout(o.Timeout); err != nil {
		return fails(err)
	}
	if c.HealthGate = o.HealthGate; c.HealthGate {
		c.Timeout = o.Timeout
	}
	return s.run(ctx, c, o)
}

// packageOf finds the package that an install names.
func (s *Service) packageOf(ctx context.Context, c command) (skipper.PackageMetadata, error) {
	if c.Install.PackageIdentifier != nil {
		return s.catalog.Find(ctx, *c.Install.PackageIdentifier)
	}
	m, err := s.catalog.Package(ctx, c.PackageID)
	if skipper.CodeOf(err) == skipper.CodeNotFound {
		return m, skipper.Errorf(skipper.CodeConflict, "Package with id='%d' can not be found.", c.PackageID)
	}
	return m, err
}

func fails(err error) (skipper.Release, skipper.Operation, error) {
	return skipper.Release{}, skipper.Operation{}, err
}

func checkInstall(props skipper.InstallProperties) error {
	if err := blank(props.PlatformName, "Platform name must not be empty"); err != nil {
		return err
	}
	return checkName(props.ReleaseName)
}

// checkName refuses names that no URL of ours could address, or that a table could not keep.
func checkName(name string) error {
	if err := blank(name, "Release name must not be empty"); err != nil {
		return err
	}
	if name == "." || name == ".." {
		return skipper.Errorf(skipper.CodeConflict, "Release name must not be %q: no URL can hold it", name)
	}
	for _, r := range name {
		if r < ' ' || r == '/' || r == '\\' || r == 0x7f {
			return skipper.Errorf(skipper.CodeConflict,
				"Release name %q must not contain a slash, a backslash or a control character", name)
		}
	}
	if len(name) > 200 {
		return skipper.Errorf(skipper.CodeConflict, "Release name must not be longer than 200 bytes; it has %d", len(name))
	}
	return nil
}

func (s *Service) planInstallation(ctx context.Context, c command) (planned, error) {
	props := *c.Install.InstallProperties
	latest, err := s.freeName(ctx, props.ReleaseName)
	if err != nil {
		return planned{}, err
	}
	m, err := s.packageOf(ctx, c)
	if err != nil {
		return planned{}, err
	}
	op := skipper.Operation{Kind: skipper.KindInstall}
	if c.HealthGate {
		op.Plan.HealthGate, op.Plan.Timeout = true, s.timeout(c.Timeout)
	}
	return s.planInstall(ctx, m, props, latest, op)
}

// freeName gives the newest version of a name that can be installed: 0 when it was never used.
func (s *Service) freeName(ctx context.Context, name string) (int, error) {
	newest, err := s.store.LatestRelease(ctx, name)
	if skipper.CodeOf(err) == skipper.CodeReleaseNotFound {
		return 0, nil
	} else if err != nil {
		return 0, fmt.Errorf("look for release %q: %w", name, err)
	}
	standing, err := s.store.LatestRelease(ctx, name, skipper.StatusDeployed, skipper.StatusDeleted, skipper.StatusUnknown)
	if err != nil && skipper.CodeOf(err) != skipper.CodeReleaseNotFound {
		return 0, fmt.Errorf("look for release %q: %w", name, err)
	}
	if err == nil && standing.Info.Status.StatusCode != skipper.StatusDeleted {
		e := skipper.Errorf(skipper.CodeConflict, "Release with the name [%s] already exists and it is not deleted.", name)
		if busy, ok := errors.AsType[*skipper.Error](s.idle(ctx, name, "INSTALL")); ok {
			e.OperationID = busy.OperationID
		}
		return 0, e
	}
	return newest.Version, nil
}

// planInstall renders a package for a new version and plans its installation; op says of which kind it is.
func (s *Service) planInstall(ctx context.Context, m skipper.PackageMetadata, props skipper.InstallProperties, latest int,
	op skipper.Operation,
) (planned, error) {
	p, err := s.catalog.Load(ctx, m)
	if err != nil {
		return planned{}, refused(err)
	}
	rel, err := s.version(ctx, props.ReleaseName, p, props.ConfigValues.Text(), props.PlatformName)
	if err != nil {
		return planned{}, err
	}
	rel.Info.Description = "Initial install underway"
	text, err := templates.Render(p, props.ConfigValues.Text())
	if err != nil {
		return planned{}, refused(err)
	}
	rel.Manifest = &skipper.Manifest{Data: text}
	if err := s.checkManifest(ctx, rel); err != nil {
		return planned{}, err
	}
	op.ReleaseName, op.TargetVersion = rel.Name, rel.Version
	op.Plan.Account = props.PlatformName
	if op, err = s.operation(ctx, op); err != nil {
		return planned{}, err
	}
	return planned{op, &rel, latest}, nil
}

// version is a new version of a release, not yet accepted; CodeConflict when there is no such platform account.
func (s *Service) version(ctx context.Context, name string, p skipper.Package, values, platform string,
) (skipper.Release, error) {
	number, err := s.store.NextVersion(ctx, name)
	if err != nil {
		return skipper.Release{}, fmt.Errorf("number a version of %q: %w", name, err)
	}
	if _, err := s.accounts.Named(platform); err != nil {
		return skipper.Release{}, err
	}
	now := skipper.At(s.clock())
	return skipper.Release{
		Name: name, Version: number, Pkg: p, PackageID: p.Metadata.ID,
		ConfigValues: kept(values), PlatformName: platform,
		Info: skipper.Info{
			Status: skipper.Status{StatusCode: skipper.StatusUnknown}, FirstDeployed: now, LastDeployed: now,
		},
	}, nil
}

// kept gives values as they are kept: blank ones are none.
func kept(values string) skipper.ConfigValues {
	if strings.TrimSpace(values) == "" {
		return skipper.ConfigValues{}
	}
	return skipper.ConfigValues{Raw: &values}
}

// checkManifest refuses what no platform could deploy, before anything is accepted.
func (s *Service) checkManifest(ctx context.Context, rel skipper.Release) error {
	apps, kind, err := manifest.Parse(rel.Manifest.Data)
	if err != nil {
		return refused(err)
	}
	if len(apps) == 0 {
		if kind == "" {
			kind = "null"
		}
		return skipper.Errorf(skipper.CodeConflict, "No release manager available for '%s'", kind)
	}
	account, err := s.accounts.Named(rel.PlatformName)
	if err != nil {
		return err
	}
	for _, app := range apps {
		req, err := s.platforms.Request(rel, app)
		if err != nil {
			return refused(err)
		}
		if err := account.Deployer.Validate(ctx, req); err != nil {
			return notDeployable(app.Name, rel.PlatformName, err)
		}
	}
	return nil
}

func notDeployable(app, platform string, err error) error {
	code := skipper.CodeConflict
	if deployer.Retry(err) {
		code = skipper.CodeUnavailable
	}
	return skipper.Errorf(code, "Could not install application [%s] to platform [%s].  Error Message = [%w]", app, platform, err)
}
