package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// DeletePackage deletes all versions of a package, or none: CodePackageDelete while a release uses one of them.
func (s *Service) DeletePackage(ctx context.Context, name string) error {
	return s.DeletePackageExcept(ctx, name, "")
}

// DeletePackageExcept is DeletePackage, not counting uses by one release: the one that is deleted with its package.
func (s *Service) DeletePackageExcept(ctx context.Context, name, release string) error {
	check, err := s.deletable(ctx, name, release)
	if err != nil {
		return err
	}
	return s.DeletePackages(ctx, name, check)
}

// CheckDeletePackage says whether DeletePackageExcept would delete, and deletes nothing.
func (s *Service) CheckDeletePackage(ctx context.Context, name, release string) error {
	check, err := s.deletable(ctx, name, release)
	if err != nil {
		return err
	}
	refused := skipper.Errorf(skipper.CodeCancelled, "only a check")
	err = s.DeletePackages(ctx, name, func(packages []skipper.PackageMetadata, uses []skipper.PackageUse) error {
		if err := check(packages, uses); err != nil {
			return err
		}
		return refused // nothing is to be deleted
	})
	if skipper.CodeOf(err) == skipper.CodeCancelled {
		return nil
	}
	return err
}

// deletable is the rule of skipper-core.md 1.7.
func (s *Service) deletable(ctx context.Context, name, except string,
) (func([]skipper.PackageMetadata, []skipper.PackageUse) error, error) {
	repos, err := s.Repositories(ctx, skipper.PageRequest{Size: 1000})
	if err != nil {
		return nil, fmt.Errorf("load repositories: %w", err)
	}
	return func(packages []skipper.PackageMetadata, uses []skipper.PackageUse) error {
		if len(packages) == 0 {
			return skipper.Errorf(skipper.CodeConflict, "Can not find a package named '%s'", name)
		}
		var refusals []string
		for _, p := range packages {
			i := slices.IndexFunc(repos.Items, func(r skipper.Repository) bool {
				return p.RepositoryID != nil && r.ID == *p.RepositoryID
			})
			if i >= 0 && !repos.Items[i].Local {
				refusals = append(refusals, fmt.Sprintf(
					"Can not delete package [%s], associated repository [%s] is remote.", name, repos.Items[i].Name))
				break
			}
			if refusal := inUse(p, uses, except); refusal != "" {
				refusals = append(refusals, refusal)
			}
		}
		if refusals != nil {
			return skipper.Errorf(skipper.CodePackageDelete, "%s", strings.Join(refusals, ","))
		}
		return nil
	}, nil
}

// shownReleases bounds a sentence that would else name hundreds of releases.
const shownReleases = 20

func inUse(p skipper.PackageMetadata, uses []skipper.PackageUse, except string) string {
	var active []string
	for _, u := range uses {
		if u.PackageID == p.ID && u.Release != except && u.Status != skipper.StatusDeleted {
			active = append(active, u.Release)
		}
	}
	if active == nil {
		return ""
	}
	slices.Sort(active)
	if more := len(active) - shownReleases; more > 0 {
		active = append(active[:shownReleases], fmt.Sprintf("and %d more", more))
	}
	repo := ""
	if p.RepositoryName != nil {
		repo = *p.RepositoryName
	}
	return fmt.Sprintf("Can not delete Package Metadata [%s:%s] in Repository [%s]. "+
		"Not all releases of this package have the status DELETED. Active Releases [%s]",
		p.Name, p.Version, repo, strings.Join(active, ","))
}
