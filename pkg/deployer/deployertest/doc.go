// Package deployertest is the contract of deployers as tests, and a deployer for tests of everything above them.
//
// Run holds a deployer to the contract. Fake is a platform in memory, or in a file that outlives a killed server; how
// it behaves is written into the properties of the applications (see Fake), and it keeps a ledger of what it was asked.
// The package knows no real platform.
//
//	deployertest.Run(t, func(t *testing.T) deployertest.Harness { … })
package deployertest
