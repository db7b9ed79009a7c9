// Package yamlx is the one place that reads and writes YAML. It reads YAML 1.1 as SnakeYAML does (010 is 8, yes is
// true, the last of two equal keys wins) into ordered values, within limits, and writes the two layouts Skipper has:
// Dump for manifests and Plain for values. It knows nothing of packages and releases.
//
// Scanner, composer and emitter are our own: the Go libraries read YAML 1.2 or a mix of both, refuse what SnakeYAML
// takes, and need seconds and hundreds of megabytes for hostile texts that are refused here as they are read.
//
//	documents, err := yamlx.Parse(text)
//	text := yamlx.Dump(documents)
package yamlx
