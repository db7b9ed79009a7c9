// Package archtest keeps the shape of the code: its tests say which package may import which, which package owns which
// library, and what no package may do. It holds no other code.
//
// A package without a row in rules_test.go fails: whoever adds a package writes down its place first.
package archtest
