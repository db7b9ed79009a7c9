// Package handler is the HTTP face of skiff: it turns requests into calls of the services and their results into the
// bodies of Spring Cloud Skipper 2.11.5.
//
// Two families of endpoints stand side by side, as in Skipper. The controllers (/api/about, /api/package, /api/release
// and, beyond Skipper, /api/operations) answer errors with a body. The resources (/api/repositories, /api/deployers,
// /api/packageMetadata, /api/releases) behave as Spring Data REST does: paged, with ETag, Vary, HEAD, and empty bodies
// where something is not there. The machine that walks operations is shown so too, as /api/jpaRepositoryStates and four
// more.
//
// Handlers see the services only through the small interfaces in services.go; they know nothing of how releases are
// stored or walked. Echo is used for routing alone: an endpoint is a function of a request that gives an answer.
//
//	e := echo.New()
//	handler.New(config).Register(e)
package handler
