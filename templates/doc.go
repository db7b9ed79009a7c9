// Package templates renders packages: a package, its values and the values of a request become the text of a manifest.
// It knows what Skipper's mustache, its merge of values and its map order do, and nothing of releases or platforms.
//
//	manifest, err := templates.Render(p, overrides)
//
// Templates are parsed and written by a renderer of our own, which agrees with jmustache 1.15 as Skipper sets it up: a
// variable without a value is an error with its line, an empty text is true, names are looked up whole before they are
// taken apart. The library cbroglie/mustache parses every template beside it and refuses partials, for which it would
// read a file of the server.
//
// Not promised is what a template gets from Java's objects by reflection. What the library finds on a text, a list or a
// map in Java is a missing variable here, which is an error:
//
//   - {{version.length}}, {{list.size}} and {{list.0}} work on values that a template of Skipper never sees as lists:
//     only {{text.length}} can be met, and is supported;
//   - {{text.isEmpty}}, {{text.toString}}, {{text.hashCode}}, {{text.trim}}, {{text.bytes}} and every other method;
//   - {{map.size}}, {{map.isEmpty}}, {{map.keySet}}, {{map.values}}: only {{map.entrySet}} is supported;
//   - {{entrySet.size}} of the entries of a map is supported, other methods of it are not;
//   - {{entry.getKey}}, {{entry.class}} and the like: entries have {{key}} and {{value}}.
//
// Bytes (!!binary) in values, which Skipper writes as the address of a Java array, another one at every run, are
// written in base64. Overrides that hold only comments count as none, where Skipper fails.
package templates
