// Package templates renders packages: a package, its values and the values of a request become the text of a manifest.
// It knows what Skipper's mustache, its merge of values and its map order do, and nothing of releases or platforms.
//
//	manifest, err := templates.Render(p, overrides)
package templates
