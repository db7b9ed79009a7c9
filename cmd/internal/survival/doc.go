// Package survival holds the promise of the README against real servers: processes built with failpoints (the build tag
// faults), killed and frozen at the worst moments, on platforms and stores that fail. It judges by what runs on the
// platform (the ledger of the scripted platform, the process table), not by what the server says of itself.
//
//	make kill-matrix   # every failpoint five times; the table is bin/kill-matrix.md
//	make survive       # every failpoint once and all faults, as CI does
//
// A plain go test runs a small part of it. The package holds nothing but tests.
package survival
