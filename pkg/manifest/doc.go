// Package manifest reads what a package renders to, one application for each document, and tells two manifests apart:
// which applications an upgrade replaces, adds and drops, and, for people, every field that differs, secrets masked. It
// knows nothing of platforms and of how manifests are made.
//
//	applications, kind, err := manifest.Parse(release.Manifest)
//	difference, err := manifest.Compare(existing, replacing, manifest.Force{})
package manifest
