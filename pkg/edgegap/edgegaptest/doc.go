// Package edgegaptest is a server that behaves as Edgegap's API does, for tests and for experiments: authentication,
// required and unknown fields, rate limits, filters, paging, the life of deployments, ports, tags, logs, metrics,
// private fleets, webhooks and self-termination, and faults that are scripted for a call or happen at random.
//
//	server, err := edgegaptest.Start(edgegaptest.Options{Token: "11111111-2222-4333-8444-555555555555"})
//	defer server.Close()
//	// … a client of server.URL …
//	left := server.Fake.Running()
//
// It is written from Edgegap's documentation and not from the client's types, so that both cannot share one mistake.
// Where the documentation is silent it is strict, or an option says how it behaves. No container runs: a deployment is
// a plan of states over time, and Options.Now is the time. Every deployment that was ever started stays in the ledger.
package edgegaptest
