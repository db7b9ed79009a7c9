package catalog

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/skiff-project/skiff/pkg/archive"
	"github.com/skiff-project/skiff/pkg/skipper"
)

const (
	firstRetry   = 5 * time.Second
	lastRetry    = 10 * time.Minute // for an interval of 0
	readsAtATime = 4
)

// index is what is remembered of the index of a remote repository between two looks at it.
type index struct {
	tags    validators
	digest  [sha256.Size]byte
	read    bool // once at least
	failing bool
}

// Run brings the packages of remote repositories into the store until the context ends: at once, and then every
// interval. While one of them cannot be read it asks sooner, and less and less often. An interval of 0 ends it as soon
// as all were read.
func (s *Service) Run(ctx context.Context, interval time.Duration) {
	longest := cmp.Or(interval, lastRetry)
	retry := firstRetry
	for ctx.Err() == nil {
		wait := longest
		switch done := s.Sync(ctx); {
		case done && interval == 0:
			return
		case done:
			retry = firstRetry
		default:
			wait = min(retry, longest)
			retry = 2 * wait
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// Sync brings the packages that remote repositories list into the store; what is there already stays as it is. It says
// whether all were read. One that cannot be read is logged when that is news, and left out.
func (s *Service) Sync(ctx context.Context) bool {
	s.syncing.Lock()
	defer s.syncing.Unlock()
	repos, err := s.repositories(ctx)
	if err != nil {
		s.log.WarnContext(ctx, "cannot list package repositories", "error", err)
		return false
	}
	var group errgroup.Group // not with a context: one that fails does not stop the others
	group.SetLimit(readsAtATime)
	for _, repo := range repos {
		if repo.Local {
			continue
		}
		if s.indexes[repo.ID] == nil {
			s.indexes[repo.ID] = &index{}
		}
		remembered := s.indexes[repo.ID]
		group.Go(func() error { return s.refresh(ctx, repo, remembered) })
	}
	return group.Wait() == nil
}

// refresh reads one index and tells what is new about it.
func (s *Service) refresh(ctx context.Context, repo skipper.Repository, remembered *index) error {
	added, err := s.readIndex(ctx, repo, remembered)
	log := s.log.With("name", repo.Name)
	switch {
	case ctx.Err() != nil: // the server stops
		return err
	case err != nil && !remembered.failing:
		log.WarnContext(ctx, "a package repository cannot be read", "error", err)
	case err != nil:
		log.DebugContext(ctx, "a package repository still cannot be read", "error", err)
	case remembered.failing || !remembered.read || added > 0:
		log.InfoContext(ctx, "read a package repository", "added", added)
	}
	remembered.failing = err != nil
	remembered.read = remembered.read || err == nil
	return err
}

func (s *Service) readIndex(ctx context.Context, repo skipper.Repository, remembered *index) (int, error) {
	found, err := s.fetch(ctx, strings.TrimSuffix(repo.URL, "/")+"/index.yml", archive.MaxIndex, remembered.tags)
	if err != nil || found.unchanged {
		return 0, err
	}
	digest := sha256.Sum256(found.body)
	if !remembered.read || digest != remembered.digest {
		packages, err := archive.ReadIndex(string(found.body))
		if err != nil {
			return 0, err
		}
		added, err := s.addAll(ctx, repo, packages)
		if err != nil {
			return added, err
		}
		remembered.tags, remembered.digest = found.tags, digest
		return added, nil
	}
	remembered.tags = found.tags
	return 0, nil
}

// addAll adds the packages that the repository does not have yet.
func (s *Service) addAll(ctx context.Context, repo skipper.Repository, packages []skipper.PackageMetadata) (int, error) {
	added := 0
	known := map[string][]skipper.PackageMetadata{}
	for _, m := range packages {
		if known[m.Name] == nil {
			named, err := s.PackagesNamed(ctx, m.Name)
			if err != nil {
				return added, fmt.Errorf("look for package %q: %w", m.Name, err)
			}
			known[m.Name] = append([]skipper.PackageMetadata{}, named...)
		}
		m.RepositoryID, m.RepositoryName = &repo.ID, &repo.Name
		if slices.ContainsFunc(known[m.Name], func(k skipper.PackageMetadata) bool {
			return k.Version == m.Version && k.RepositoryID != nil && *k.RepositoryID == repo.ID
		}) {
			continue
		}
		_, err := s.AddPackage(ctx, m, nil)
		switch {
		case err == nil:
			added++
		case skipper.CodeOf(err) != skipper.CodeConflict: // a conflict: listed twice, or another server was faster
			return added, fmt.Errorf("keep package %s:%s: %w", m.Name, m.Version, err)
		}
	}
	return added, nil
}

// download gets the zip of a package from its remote repository and keeps it. missing is the answer when there is no
// such repository.
func (s *Service) download(ctx context.Context, m skipper.PackageMetadata, missing error) ([]byte, error) {
	repos, err := s.repositories(ctx)
	if err != nil {
		return nil, err
	}
	repo := repos.of(m)
	if repo.ID == 0 || repo.Local {
		return nil, missing
	}
	address := fmt.Sprintf("%s/%s/%s-%s.zip", strings.TrimSuffix(repo.URL, "/"),
		url.PathEscape(m.Name), url.PathEscape(m.Name), url.PathEscape(m.Version))
	found, err := s.fetch(ctx, address, archive.MaxPacked, validators{})
	if err != nil {
		return nil, err
	}
	if err := checkDigest(m, found); err != nil {
		return nil, err
	}
	if _, err := archive.Read(found.body, m.Name+"-"+m.Version); err != nil {
		return nil, skipper.Errorf(skipper.CodeOf(err), "%s is not package %s:%s: %w",
			found.address, m.Name, m.Version, err)
	}
	s.log.InfoContext(ctx, "downloaded a package", "name", m.Name, "version", m.Version, "url", found.address,
		"sha256", found.digest())
	return found.body, s.SetPackageFile(ctx, m.ID, found.body)
}

// checkDigest compares a zip with what the index says of it. Skipper's writers leave the word null where they know none.
func checkDigest(m skipper.PackageMetadata, found document) error {
	if m.SHA256 == nil {
		return nil
	}
	want := strings.ToLower(strings.TrimSpace(*m.SHA256))
	if want == "" || want == "null" || want == found.digest() {
		return nil
	}
	return skipper.Errorf(skipper.CodeConflict, "%s has the SHA-256 digest %s, but the index of its repository says %s",
		found.address, found.digest(), want)
}

// digest is the SHA-256 of the document in hexadecimal.
func (d document) digest() string {
	sum := sha256.Sum256(d.body)
	return hex.EncodeToString(sum[:])
}
