// Package yamlx is the one place that reads and writes YAML. It reads YAML 1.1 as SnakeYAML does (010 is 8, yes is
// true, the last of two equal keys wins) into ordered values, within limits, and writes the two layouts Skipper has:
// Dump for manifests and Plain for values. It knows nothing of packages and releases.
//
//	documents, err := yamlx.Parse(text)
//	text := yamlx.Dump(documents)
//
// Two readers share the work. Ours makes the values that packages, manifests and configuration are built of.
// gopkg.in/yaml.v3 checks beside it what everybody else would read: Ambiguities goes through the tree it makes of a text
// and names where the two differ, which 'skiff package lint' warns of. It is also what the tests compare with.
//
// That yaml.v3 makes the values was tried, on its nodes and with the types of YAML 1.1 put in afterwards. What stood in
// the way, measured with texts of 3 MB, the most that SnakeYAML takes:
//
//   - of the recorded manifests two cannot be had: an unquoted value that begins with &lt; is an anchor to SnakeYAML, and
//     a syntax error to yaml.v3; so are "\ud83d\ude00" and U+FEFF within a text. What it takes and SnakeYAML refuses, as tabs
//     between a key and its value, its nodes do not tell.
//   - a list of comments took 4.3 s and 615 MB, a list of letters 4.8 s and 325 MB, before the first limit could be looked
//     at. Ours counts values, depth and aliases while it reads: the same texts end after less than 0.5 s and 100 MB.
//   - its errors name what its parser expected; ours name the bracket or the quote that was left open, and the remedy.
package yamlx
