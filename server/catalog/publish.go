package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/skiff-project/skiff/pkg/archive"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// Index gives the index.yml by which this server is a package repository for others: the packages of its local
// repositories, each with the digest of its zip.
func (s *Service) Index(ctx context.Context) (string, error) {
	packages, err := s.PublishedPackages(ctx)
	if err != nil {
		return "", fmt.Errorf("list packages: %w", err)
	}
	repos, err := s.repositories(ctx)
	if err != nil {
		return "", err
	}
	slices.SortStableFunc(packages, func(a, b skipper.PackageMetadata) int {
		if a.Name != b.Name {
			return strings.Compare(a.Name, b.Name)
		}
		if c := CompareVersions(a.Version, b.Version); c != 0 {
			return c
		}
		return repos.compare(b, a) // the preferred one first, as in File
	})
	packages = slices.CompactFunc(packages, func(a, b skipper.PackageMetadata) bool {
		return a.Name == b.Name && a.Version == b.Version
	})
	return archive.WriteIndex(packages), nil
}

// File gives the zip of a package that Index lists; CodeNotFound.
func (s *Service) File(ctx context.Context, name, version string) ([]byte, error) {
	packages, err := s.PackagesNamed(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("look for package %q: %w", name, err)
	}
	repos, err := s.repositories(ctx)
	if err != nil {
		return nil, err
	}
	packages = slices.DeleteFunc(packages, func(p skipper.PackageMetadata) bool {
		return p.Version != version || !repos.of(p).Local
	})
	if len(packages) == 0 {
		return nil, skipper.Errorf(skipper.CodeNotFound,
			"no local package repository of this server has package %s:%s", name, version)
	}
	return s.PackageFile(ctx, slices.MaxFunc(packages, repos.compare).ID)
}
