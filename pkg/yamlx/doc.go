// Package yamlx is the one place that reads and writes YAML. It reads YAML 1.1 as SnakeYAML does (010 is 8, yes is
// true, the last of two equal keys wins) into ordered values, within limits, and writes the two layouts Skipper has:
// Dump for manifests and Plain for values. It knows nothing of packages and releases.
//
//	documents, err := yamlx.Parse(text)
//	text := yamlx.Dump(documents)
package yamlx
