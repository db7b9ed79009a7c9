package catalog

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/skiff-project/skiff/pkg/archive"
	"github.com/skiff-project/skiff/pkg/skipper"
)

const (
	fetchTimeout = 60 * time.Second
	fetchLimit   = 64 << 20 // bytes of an index or a package
)

func remoteClient() *http.Client { return &http.Client{Timeout: fetchTimeout} }

// Sync brings the packages that remote repositories list into the store; what is there already stays as it is. A
// repository that cannot be read is logged and left out.
func (s *Service) Sync(ctx context.Context) {
	repos, err := s.Repositories(ctx, skipper.PageRequest{Size: 1000})
	if err != nil {
		s.log.WarnContext(ctx, "cannot list package repositories", "error", err)
		return
	}
	for _, repo := range repos.Items {
		if repo.Local {
			continue
		}
		if added, err := s.syncOne(ctx, repo); err != nil {
			s.log.WarnContext(ctx, "a package repository cannot be read", "name", repo.Name, "error", err)
		} else {
			s.log.InfoContext(ctx, "read a package repository", "name", repo.Name, "added", added)
		}
	}
}

func (s *Service) syncOne(ctx context.Context, repo skipper.Repository) (int, error) {
	text, err := s.fetch(ctx, strings.TrimSuffix(repo.URL, "/")+"/index.yml")
	if err != nil {
		return 0, err
	}
	packages, err := archive.ReadIndex(string(text))
	if err != nil {
		return 0, err
	}
	added := 0
	for _, m := range packages {
		m.RepositoryID, m.RepositoryName = &repo.ID, &repo.Name
		_, err := s.AddPackage(ctx, m, nil)
		if err == nil {
			added++
		} else if skipper.CodeOf(err) != skipper.CodeConflict { // a conflict: it is known
			return added, fmt.Errorf("keep package %s:%s: %w", m.Name, m.Version, err)
		}
	}
	return added, nil
}

// fetchPackage gets the zip of a package from its remote repository and keeps it.
func (s *Service) fetchPackage(ctx context.Context, m skipper.PackageMetadata) ([]byte, error) {
	repo, err := s.Repository(ctx, *m.RepositoryID)
	if err != nil {
		return nil, err
	}
	zip, err := s.fetch(ctx, fmt.Sprintf("%s/%s/%s-%s.zip", strings.TrimSuffix(repo.URL, "/"),
		url.PathEscape(m.Name), url.PathEscape(m.Name), url.PathEscape(m.Version)))
	if err != nil {
		return nil, err
	}
	if _, err := archive.Read(zip, m.Name+"-"+m.Version); err != nil {
		return nil, err
	}
	return zip, s.SetPackageFile(ctx, m.ID, zip)
}

// fetch reads an http, https or file URL. Errors name it without credentials.
func (s *Service) fetch(ctx context.Context, address string) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, skipper.Errorf(skipper.CodeInvalid, "the URL of a package repository cannot be read")
	}
	if u.Scheme == "file" {
		f, err := os.Open(u.Path)
		if err != nil {
			return nil, skipper.Errorf(skipper.CodeConflict, "cannot read %s: %w", u.Redacted(), err)
		}
		defer func() { _ = f.Close() }() // it was only read
		return limited(f, u)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, skipper.Errorf(skipper.CodeInvalid, "cannot ask for %s", u.Redacted())
	}
	res, err := s.http.Do(req)
	if err != nil {
		return nil, &skipper.Error{Code: skipper.CodeUnavailable, Message: "cannot reach " + u.Redacted(), Err: err}
	}
	defer func() { _ = res.Body.Close() }() // it was only read
	if res.StatusCode != http.StatusOK {
		return nil, skipper.Errorf(skipper.CodeConflict, "%s answered %s", u.Redacted(), res.Status)
	}
	return limited(res.Body, u)
}

func limited(r io.Reader, u *url.URL) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, fetchLimit+1))
	if err != nil {
		return nil, &skipper.Error{Code: skipper.CodeUnavailable, Message: "cannot read " + u.Redacted(), Err: err}
	}
	if len(b) > fetchLimit {
		return nil, skipper.Errorf(skipper.CodeConflict, "%s has more than %d bytes", u.Redacted(), fetchLimit)
	}
	return b, nil
}
