// Package resource turns the resource of a manifest into what a platform can run: a local file or an image reference.
//
//	ref, err := resource.Parse("file:///opt/apps/hello", "1.1.0")
//	path, err := resolver.File(ctx, ref)
package resource

// Ref names a resource: where it is, and in which version.
type Ref struct {
	Location string // as spec.resource, with its scheme
	Version  string // as spec.version; may be empty
}
