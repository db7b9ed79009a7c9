// Package deployertest is the contract of deployers as tests, and a deployer for tests of everything above them.
//
// Run holds a deployer to the contract. Fake is a platform in memory, or in a file that outlives a killed server; how
// it behaves is written into the properties of the applications (see Fake), and it keeps a ledger of what it was asked.
// The package knows no real platform.
//
//	deployertest.Run(t, func(t *testing.T) deployertest.Harness { … })
//
// The sentences of the contract and the tests that hold a deployer to them:
//
//	Type, Describe, Options, Ping   describes itself
//	ID                              id is pure; the id is the request's alone
//	Validate                        describes itself; a negative count is refused
//	Deploy: exists, accepted        deployed, undeployed, deployed again; a slow one is deploying; no instances
//	  the same again                deploying twice is deploying once; a failed one
//	  another spec                  another spec under the same id
//	  previous, adoption            adopted without a handle; adopted by any of several; deployed with what is of no use
//	  save before the effect        saved before the effect; a failed save stops it
//	  the context ends              an ended context changes nothing; a context that ends before the effect
//	Undeploy                        undeploy of nothing; undeploy without data; undeploying twice at a time apart
//	Status                          unknown ids are unknown; status of many handles; status after a restart; many at once
//	  instances that failed         a failed one; one of three fails; why it failed
//	Scale                           scaled up and down; scaled though nothing is there; a failed save stops scaling;
//	                                an ended context scales nothing
//	Logs                            logs; the last bytes of logs; logs of nothing
//	LogReader                       logs line by line; followed logs; logs of nothing
//	Discover                        discovered; discovered until it is gone; discovered by each part of its owner
//	Actuator                        where its endpoints are
//	Close                           closed and used again by another
//	Handle                          the handle stays small and free of text; a handle round trips as JSON
//	nothing of it is left behind    each test, at its end
package deployertest
