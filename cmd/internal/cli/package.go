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
	return group("package", "Write, upload, list and delete packages",
		newPackageInit(c), newPackageLint(c), newPackageRender(c), newPackageZip(c),
		newPackageUpload(c), newPackageList(c), newPackageDelete(c))
}

func newPackageUpload(c *cli) *cobra.Command {
	var path, repository string
	cmd := &cobra.Command{
		Use:   "upload [PATH]",
		Short: "Upload a package from a folder or a zip",
		Long: "Upload a package from a folder or a zip. A folder is packed on the way; name and version are those of its\n" +
			"package.yml, whatever the folder or file is called.",
		Example: "  skiff package upload ./hello-1.0.0\n  skiff package upload hello-1.0.0.zip",
		Args:    atMost(1),
		RunE: c.asking(func(ctx context.Context, s *client.Client, args []string) error {
			path, err := required(args, path, "path")
			if err != nil {
				return err
			}
			request, err := uploadRequest(path, repository)
			if err != nil {
				return err
			}
			metadata, err := s.Upload(ctx, request)
			if err != nil {
				return err
			}
			return c.show(metadata, func() error {
				return c.say("Package uploaded: %s %s\n", metadata.Name, metadata.Version)
			})
		}),
	}
	cmd.Flags().StringVar(&path, "path", "", "folder or zip of the package")
	cmd.Flags().StringVar(&repository, "repo-name", "local", "package repository to upload to")
	return cmd
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
	cmd := &cobra.Command{
		Use:     "list [PART-OF-NAME]",
		Short:   "List packages, all or those with a part in their name",
		Example: "  skiff package list\n  skiff package list hel -o json",
		Args:    atMost(1),
		RunE: c.asking(func(ctx context.Context, s *client.Client, args []string) error {
			packages, err := listPackages(ctx, s, args, name)
			if err != nil {
				return err
			}
			return c.show(packages, func() error {
				rows := []table.Row{}
				for _, p := range packages {
					rows = append(rows, table.Row{p.Name, p.Version, text(p.Description)})
				}
				return c.table(table.Row{"Name", "Version", "Description"}, rows)
			})
		}),
	}
	cmd.Flags().StringVar(&name, "name", "", "part of a package name, in any case")
	return cmd
}

func listPackages(
	ctx context.Context, s *client.Client, args []string, name string,
) ([]skipper.PackageMetadata, error) {
	var packages []skipper.PackageMetadata
	part, err := optional(args, name, "name")
	switch {
	case err != nil:
		return nil, err
	case part == "":
		packages, err = s.Packages(ctx)
	default:
		packages, err = s.PackagesContaining(ctx, part)
	}
	slices.SortStableFunc(packages, func(a, b skipper.PackageMetadata) int { return strings.Compare(a.Name, b.Name) })
	return packages, err
}

func newPackageDelete(c *cli) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:     "delete [PACKAGE]",
		Short:   "Delete all versions of a package",
		Long:    "Delete all versions of a package. It is refused while a release that is not deleted was made from it.",
		Example: "  skiff package delete hello",
		Args:    atMost(1),
		RunE: c.asking(func(ctx context.Context, s *client.Client, args []string) error {
			name, err := named(args, name, "package-name")
			if err != nil {
				return err
			}
			if err := s.DeletePackage(ctx, name); err != nil {
				return err
			}
			return c.show(map[string]string{"deleted": name}, func() error { return c.say("Deleted package %s\n", name) })
		}),
	}
	cmd.Flags().StringVar(&name, "package-name", "", "name of the package")
	return cmd
}
