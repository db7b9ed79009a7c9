// Package server is the application as a network service: it listens, puts each request through the middleware, hands
// it to the handlers, and stops with grace.
//
// It knows how HTTP is served and nothing of what is said: that is package handler.
//
//	s := server.New(server.Config{Address: "127.0.0.1", Port: 7577, Handler: handlers, Logger: logger})
//	address, err := s.Listen(ctx)
//	…
//	err = s.Serve() // until Shutdown
package server
