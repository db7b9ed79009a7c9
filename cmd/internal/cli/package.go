package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/archive"
	"github.com/skiff-project/skiff/pkg/client"
	"github.com/skiff-project/skiff/pkg/skipper"
)

func newPackage(c *cli) *cobra.Command {
	return group("package", "Write, upload, list, install and delete packages",
		newPackageInit(c), newPackageLint(c), newPackageRender(c), newPackageZip(c),
		newPackageUpload(c), newPackageList(c), newPackageInstall(c), newPackageDelete(c))
}

func newPackageUpload(c *cli) *cobra.Command {
	var path, repository string
	var skip bool
	cmd := &cobra.Command{
		Use:   "upload [PATH]",
		Short: "Upload a package from a folder or a zip",
		Long: "Upload a package from a folder or a zip. A folder is packed on the way; name and version are those of its\n" +
			"package.yml, whatever the folder or file is called.",
		Example: "  skiff package upload ./hello-1.0.0\n  skiff package upload hello-1.0.0.zip",
		Args:    needing(positional("path", "repo-name"), "path"),
		RunE: c.asking(func(ctx context.Context, s *client.Client, _ []string) error {
			request, err := uploadRequest(path, repository)
			if err != nil {
				return err
			}
			metadata, err := s.Upload(ctx, request)
			if skip && skipper.CodeOf(err) == skipper.CodeConflict {
				return c.skipped(ctx, s, request, err)
			}
			if err != nil {
				return err
			}
			return c.show(metadata, func() error {
				return c.say("Package uploaded successfully:[%s:%s]\n", metadata.Name, metadata.Version)
			})
		}),
	}
	cmd.Flags().StringVar(&path, "path", "", "folder or zip of the package")
	cmd.Flags().StringVar(&repository, "repo-name", "local", "package repository to upload to")
	cmd.Flags().BoolVar(&skip, "skip-existing", false,
		"that this version is there already is success, whatever is in it; for jobs that run again")
	return cmd
}

// skipped shows the package that is there already; else the upload was refused for something else.
func (c *cli) skipped(ctx context.Context, s *client.Client, request skipper.UploadRequest, refused error) error {
	found, err := packages(ctx, s, *request.Name)
	if err != nil {
		return err
	}
	for _, p := range found {
		if p.Name == *request.Name && p.Version == *request.Version {
			return c.show(p, func() error {
				return c.say("Package %s %s is there already; it was not uploaded\n", p.Name, p.Version)
			})
		}
	}
	return refused
}

func uploadRequest(path, repository string) (skipper.UploadRequest, error) {
	zip, err := packed(path)
	if err != nil {
		return skipper.UploadRequest{}, err
	}
	metadata, err := archive.ReadMetadata(zip)
	if err != nil {
		return skipper.UploadRequest{}, fmt.Errorf("read package %s: %w", path, err)
	}
	extension := "zip"
	return skipper.UploadRequest{
		Name: &metadata.Name, Version: &metadata.Version, RepoName: &repository,
		Extension: &extension, PackageFileAsBytes: zip,
	}, nil
}

// packed gives the zip of a package that is one already or is a folder.
func packed(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, usagef("there is no file or folder %s", path)
	case err != nil:
		return nil, err
	case info.IsDir():
		zip, err := archive.Write(path)
		if err != nil {
			return nil, fmt.Errorf("pack %s: %w", path, err)
		}
		return zip, nil
	case info.Size() > archive.MaxPacked:
		return nil, skipper.Errorf(skipper.CodeTooLarge,
			"%s has more than the %d bytes a package may have", path, archive.MaxPacked)
	default:
		return os.ReadFile(path)
	}
}

func newPackageList(c *cli) *cobra.Command {
	var name string
	var details bool
	cmd := &cobra.Command{
		Use:     "list [PART-OF-NAME]",
		Aliases: []string{"search"},
		Short:   "List packages, all or those with a part in their name",
		Example: "  skiff package list\n  skiff package search hel --details\n  skiff package list -o json",
		Args:    positional("name", "details"),
		RunE: c.asking(func(ctx context.Context, s *client.Client, _ []string) error {
			packages, err := packages(ctx, s, name)
			if err != nil {
				return err
			}
			return c.show(packages, func() error { return c.listPackages(packages, details) })
		}),
	}
	cmd.Flags().StringVar(&name, "name", "", "part of a package name, in any case")
	cmd.Flags().BoolVar(&details, "details", false, "show all that is known of each")
	return cmd
}

func (c *cli) listPackages(packages []skipper.PackageMetadata, details bool) error {
	rows := []table.Row{}
	for i, p := range packages {
		if !details {
			rows = append(rows, table.Row{p.Name, p.Version, text(p.Description)})
			continue
		}
		if i > 0 && c.Style == nil {
			if err := c.say("\n"); err != nil {
				return err
			}
		}
		if err := c.pairs(facts(p)...); err != nil {
			return err
		}
	}
	if details {
		return nil
	}
	return c.table(table.Row{"Name", "Version", "Description"}, rows)
}

func facts(p skipper.PackageMetadata) []table.Row {
	return []table.Row{
		{"apiVersion", p.APIVersion},
		{"origin", text(p.Origin)},
		{"repositoryName", text(p.RepositoryName)},
		{"kind", p.Kind},
		{"name", p.Name},
		{"displayName", text(p.DisplayName)},
		{"version", p.Version},
		{"packageSourceUrl", text(p.PackageSourceURL)},
		{"packageHomeUrl", text(p.PackageHomeURL)},
		{"tags", text(p.Tags)},
		{"maintainer", text(p.Maintainer)},
		{"description", text(p.Description)},
		{"sha256", text(p.SHA256)},
		{"iconUrl", text(p.IconURL)},
	}
}

// packages lists the packages with a part in their name, by name.
func packages(ctx context.Context, s *client.Client, part string) ([]skipper.PackageMetadata, error) {
	ask := s.Packages
	if part != "" {
		ask = func(ctx context.Context) ([]skipper.PackageMetadata, error) { return s.PackagesContaining(ctx, part) }
	}
	found, err := ask(ctx)
	slices.SortStableFunc(found, func(a, b skipper.PackageMetadata) int { return strings.Compare(a.Name, b.Name) })
	return found, err
}

func newPackageDelete(c *cli) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:     "delete [PACKAGE]",
		Short:   "Delete all versions of a package",
		Long:    "Delete all versions of a package. It is refused while a release that is not deleted was made from it.",
		Example: "  skiff package delete hello",
		Args:    needing(positional("package-name"), "package-name"),
		RunE: c.asking(func(ctx context.Context, s *client.Client, _ []string) error {
			err := s.DeletePackage(ctx, name)
			if c.Style != nil && skipper.CodeOf(err) == skipper.CodePackageDelete {
				return c.say("%s\n", err) // the Skipper shell's answer
			}
			if err != nil {
				return err
			}
			gone := struct {
				Name    string `json:"name"`
				Deleted bool   `json:"deleted"`
			}{name, true}
			return c.show(gone, func() error { return c.say("Deleted Package '%s'\n", name) })
		}),
	}
	cmd.Flags().StringVar(&name, "package-name", "", "name of the package")
	return cmd
}
