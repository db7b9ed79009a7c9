// Package deployer is the contract between the server and a platform: what every deployer does, and the words it
// answers in. The server owns the intent (what should run, kept in the store); a deployer owns reality (what does run).
//
// All verbs are idempotent and absolute: asking twice is asking once. Every object a deployer makes carries an owner
// mark, so that it is found again when the server was killed before it could note what it had made.
// A context bounds the call, never the life of an application.
//
// deployertest.Run is the contract as tests; every deployer passes it.
package deployer
