// Package catalog keeps packages: it takes uploads, finds the package a request means, and deletes packages that no
// release needs. Messages that clients know are Skipper's (skipper-core.md 1).
package catalog

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/Masterminds/semver/v3"

	"github.com/skiff-project/skiff/pkg/archive"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// Store is what the catalog needs kept.
type Store interface {
	EnsureRepository(ctx context.Context, r skipper.Repository) (skipper.Repository, bool, error)
	Repositories(ctx context.Context, page skipper.PageRequest) (skipper.Page[skipper.Repository], error)
	Repository(ctx context.Context, id int64) (skipper.Repository, error)
	RepositoryByName(ctx context.Context, name string) (skipper.Repository, error)
	AddPackage(ctx context.Context, m skipper.PackageMetadata, zip []byte) (skipper.PackageMetadata, error)
	Packages(ctx context.Context, page skipper.PageRequest) (skipper.Page[skipper.PackageMetadata], error)
	Package(ctx context.Context, id int64) (skipper.PackageMetadata, error)
	PackagesNamed(ctx context.Context, name string) ([]skipper.PackageMetadata, error)
	PackagesContaining(ctx context.Context, part string) ([]skipper.PackageMetadata, error)
	PackageFile(ctx context.Context, id int64) ([]byte, error)
	PublishedPackages(ctx context.Context) ([]skipper.PackageMetadata, error)
	SetPackageFile(ctx context.Context, id int64, zip []byte) error
	DeletePackages(ctx context.Context, name string,
		check func(packages []skipper.PackageMetadata, uses []skipper.PackageUse) error) error
}

// maxRepositories is how many repositories are looked at; they stand in configuration files.
const maxRepositories = 1000

// Service is the catalog. Its reading methods are those of the store.
type Service struct {
	Store
	http *http.Client
	log  *slog.Logger

	syncing sync.Mutex
	indexes map[int64]*index // of remote repositories, by id; guarded by syncing
}

// New makes a catalog.
func New(store Store, log *slog.Logger) *Service {
	return &Service{Store: store, http: remoteClient(), log: log, indexes: map[int64]*index{}}
}

// Upload keeps a package in a local repository. CodeInvalid for a wrong request, CodeConflict where Skipper answers so.
func (s *Service) Upload(ctx context.Context, req skipper.UploadRequest) (skipper.PackageMetadata, error) {
	repo, err := s.uploadTarget(ctx, req)
	if err != nil {
		return skipper.PackageMetadata{}, err
	}
	name, version, err := checkUpload(req)
	if err != nil {
		return skipper.PackageMetadata{}, err
	}
	if err := s.checkNew(ctx, repo, name, version); err != nil {
		return skipper.PackageMetadata{}, err
	}
	p, err := archive.Read(req.PackageFileAsBytes, name+"-"+version)
	m := p.Metadata
	if m.Name != "" && (m.Name != name || m.Version != version) { // Skipper says this first
		return skipper.PackageMetadata{}, skipper.Errorf(skipper.CodeConflict,
			"Package definition in the request [%s:%s] differs from one inside the package.yml [%s:%s]",
			name, version, m.Name, m.Version)
	}
	if err != nil {
		return skipper.PackageMetadata{}, err
	}
	m.RepositoryID, m.RepositoryName = &repo.ID, &repo.Name
	m, err = s.AddPackage(ctx, m, req.PackageFileAsBytes)
	if skipper.CodeOf(err) == skipper.CodeConflict {
		return m, exists(repo, name, version)
	}
	return m, err
}

func (s *Service) uploadTarget(ctx context.Context, req skipper.UploadRequest) (skipper.Repository, error) {
	name := "null"
	if req.RepoName != nil {
		name = *req.RepoName
	}
	repo, err := s.RepositoryByName(ctx, name)
	switch {
	case skipper.CodeOf(err) == skipper.CodeNotFound || (err == nil && req.RepoName == nil):
		return repo, skipper.Errorf(skipper.CodeConflict, "Could not find local repository to upload to named %s", name)
	case err != nil:
		return repo, fmt.Errorf("load repository %q: %w", name, err)
	case !repo.Local:
		return repo, skipper.Errorf(skipper.CodeConflict,
			"Repository to upload to is not a local database hosted repository.")
	}
	return repo, nil
}

// checkUpload checks the fields in the order Skipper does.
func checkUpload(req skipper.UploadRequest) (name, version string, err error) {
	switch {
	case req.Name == nil:
		return "", "", skipper.Errorf(skipper.CodeInvalid, "Name of package can not be null")
	case req.Version == nil:
		return "", "", skipper.Errorf(skipper.CodeInvalid, "Version can not be null")
	}
	name, version = strings.TrimSpace(*req.Name), strings.TrimSpace(*req.Version)
	if _, err := semver.StrictNewVersion(version); err != nil {
		return "", "", skipper.Errorf(skipper.CodeConflict,
			"UploadRequest doesn't have a valid semantic version.  Version = %s", version)
	}
	switch {
	case req.Extension == nil:
		err = skipper.Errorf(skipper.CodeInvalid, "Extension can not be null")
	case *req.Extension != "zip":
		err = skipper.Errorf(skipper.CodeInvalid, "Extension must be 'zip', not %s", *req.Extension)
	case req.PackageFileAsBytes == nil:
		err = skipper.Errorf(skipper.CodeInvalid, "Package file as bytes must not be null")
	case len(req.PackageFileAsBytes) == 0:
		err = skipper.Errorf(skipper.CodeInvalid, "Package file as bytes must not be empty")
	case name == "" || name == "." || strings.Contains(name, "..") || strings.ContainsAny(name, "/\\\x00"):
		err = skipper.Errorf(skipper.CodeConflict, "Entry is outside of the target dir: %s", name)
	}
	return name, version, err
}

func (s *Service) checkNew(ctx context.Context, repo skipper.Repository, name, version string) error {
	packages, err := s.PackagesNamed(ctx, name)
	if err != nil {
		return fmt.Errorf("look for package %q: %w", name, err)
	}
	for _, p := range packages {
		if p.Version == version && p.RepositoryID != nil && *p.RepositoryID == repo.ID {
			return exists(repo, name, version)
		}
	}
	return nil
}

func exists(repo skipper.Repository, name, version string) error {
	return skipper.Errorf(skipper.CodeConflict,
		"Failed to upload the package. Package [%s:%s] in Repository [%s] already exists.", name, version, repo.Name)
}

// Find gives the package a request means: the version asked for, from the repository with the highest order; without a
// version the newest one by semantic versioning (Skipper compares versions as text and so prefers 9.0.0 to 10.0.0).
func (s *Service) Find(ctx context.Context, id skipper.PackageIdentifier) (skipper.PackageMetadata, error) {
	packages, err := s.PackagesNamed(ctx, id.PackageName)
	if err != nil {
		return skipper.PackageMetadata{}, fmt.Errorf("look for package %q: %w", id.PackageName, err)
	}
	version := strings.TrimSpace(id.PackageVersion)
	if version != "" {
		packages = slices.DeleteFunc(packages, func(p skipper.PackageMetadata) bool { return p.Version != version })
	}
	if len(packages) == 0 {
		return skipper.PackageMetadata{}, missing(id)
	}
	repos, err := s.repositories(ctx)
	if err != nil {
		return skipper.PackageMetadata{}, err
	}
	return slices.MaxFunc(packages, func(a, b skipper.PackageMetadata) int {
		return cmp.Or(CompareVersions(a.Version, b.Version), repos.compare(a, b))
	}), nil
}

func missing(id skipper.PackageIdentifier) error {
	if id.PackageVersion == "" {
		return skipper.Errorf(skipper.CodeConflict, "Can not find a package named '%s'", id.PackageName)
	}
	return skipper.Errorf(skipper.CodeConflict,
		"Can not find package '%s', version '%s'", id.PackageName, id.PackageVersion)
}

// CompareVersions orders versions by semantic versioning; what is none comes before what is one, and then as text.
func CompareVersions(a, b string) int {
	va, errA := semver.NewVersion(a)
	vb, errB := semver.NewVersion(b)
	switch {
	case errA == nil && errB == nil:
		return va.Compare(vb)
	case errA == nil:
		return 1
	case errB == nil:
		return -1
	}
	return strings.Compare(a, b)
}

// repositories are the package repositories by id.
type repositories map[int64]skipper.Repository

func (s *Service) repositories(ctx context.Context) (repositories, error) {
	page, err := s.Repositories(ctx, skipper.PageRequest{Size: maxRepositories})
	if err != nil {
		return nil, fmt.Errorf("load repositories: %w", err)
	}
	all := repositories{}
	for _, r := range page.Items {
		all[r.ID] = r
	}
	return all, nil
}

// of gives the repository of a package; the zero one when it has none.
func (r repositories) of(m skipper.PackageMetadata) skipper.Repository {
	if m.RepositoryID == nil {
		return skipper.Repository{}
	}
	return r[*m.RepositoryID]
}

// compare orders packages by the order of their repositories.
func (r repositories) compare(a, b skipper.PackageMetadata) int {
	return cmp.Compare(order(r.of(a)), order(r.of(b)))
}

func order(r skipper.Repository) int {
	if r.RepoOrder == nil {
		return 0
	}
	return *r.RepoOrder
}

// Load gives a package with everything in it; one from a remote repository is fetched at its first use and kept.
func (s *Service) Load(ctx context.Context, m skipper.PackageMetadata) (skipper.Package, error) {
	zip, err := s.PackageFile(ctx, m.ID)
	if skipper.CodeOf(err) == skipper.CodeNotFound {
		zip, err = s.download(ctx, m, err)
	}
	if err != nil {
		return skipper.Package{}, fmt.Errorf("load package %s:%s: %w", m.Name, m.Version, err)
	}
	p, err := archive.Read(zip, m.Name+"-"+m.Version)
	if err != nil {
		return skipper.Package{}, fmt.Errorf("read package %s:%s: %w", m.Name, m.Version, err)
	}
	p.Metadata = m
	return p, nil
}
