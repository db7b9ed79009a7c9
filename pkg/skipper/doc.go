// Package skipper is the domain: the words of the field, and nothing that stores, sends or runs them.
//
//   - A package is a versioned set of templates with default values; it lives in a package repository.
//   - A release is a named deployment of a package on one platform account; each install, upgrade and
//     rollback makes a new version of it.
//   - A manifest is what a package renders to: one document per application.
//   - An operation is one running or ended change of a release: install, upgrade, rollback, scale or delete.
//   - A deployment is one application of one release version on a platform, known by its deployment id.
//
// The JSON of its types is the wire format of Spring Cloud Skipper 2.11.5, field order included.
// It imports the standard library only.
package skipper
