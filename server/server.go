package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/handler"
)

// Config is what a server is made of.
type Config struct {
	Address string         // to listen on; empty: all addresses
	Port    int            // 0: any free one
	Handler handler.Config // its Stopping is set by New
	Clock   func() time.Time
	Logger  *slog.Logger
	Drain   time.Duration // how long Shutdown lets requests end by themselves; 0: 2 s
	Linger  time.Duration // how long Shutdown goes on accepting, not ready, so that balancers see it; 0: not at all
}

const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	defaultDrain  = 2 * time.Second
	headerLimit   = 64 << 10 // bytes; the host of a request is in each link of its answer
)

// Server serves the API over HTTP. Listen, then Serve; Shutdown ends Serve.
type Server struct {
	config   Config
	http     *http.Server
	listener net.Listener
	stopping atomic.Bool
	giveUp   context.CancelCauseFunc // ends the requests that still wait
}

// New makes a server that does not listen yet.
func New(c Config) *Server {
	if c.Drain == 0 {
		c.Drain = defaultDrain
	}
	s := &Server{config: c}
	c.Handler.Stopping = s.stopping.Load
	s.http = &http.Server{
		Handler: routes(handler.New(c.Handler), c.Clock, c.Logger),
		// Bodies have a time limit of their own, in package handler. Answers have none: installs and event streams
		// wait.
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headerLimit,
		ErrorLog:          slog.NewLogLogger(c.Logger.Handler(), slog.LevelDebug),
	}
	return s
}

// Handler gives the whole HTTP service, for tests and for servers of another kind.
func (s *Server) Handler() http.Handler { return s.http.Handler }

// Listen binds the address and gives it; connections wait until Serve. CodeUnavailable when it cannot be bound. The end
// of ctx does not end requests: Shutdown does that with grace.
func (s *Server) Listen(ctx context.Context) (net.Addr, error) {
	address := net.JoinHostPort(s.config.Address, strconv.Itoa(s.config.Port))
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, skipper.Errorf(skipper.CodeUnavailable,
			"cannot listen on %s; is a server running there already? choose another with --port: %w", address, err)
	}
	s.listener = listener
	requests, giveUp := context.WithCancelCause(context.WithoutCancel(ctx))
	s.giveUp = giveUp
	s.http.BaseContext = func(net.Listener) context.Context { return requests }
	return listener.Addr(), nil
}

// Serve answers requests until Shutdown. Listen comes first.
func (s *Server) Serve() error {
	if s.listener == nil {
		return skipper.Errorf(skipper.CodeInternal, "the server does not listen yet")
	}
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return skipper.Errorf(skipper.CodeUnavailable, "the server cannot go on listening: %w", err)
	}
	return nil
}

// Shutdown stops accepting, lets requests end, then ends those that wait for an operation with 503, at last closes all
// connections when ctx ends. No operation is touched by it. It may be called more than once.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopping.Store(true)
	s.linger(ctx)
	drain, cancel := context.WithTimeout(ctx, s.config.Drain)
	defer cancel()
	err := s.http.Shutdown(drain)
	if err == nil || s.giveUp == nil {
		return err
	}
	s.giveUp(skipper.Errorf(skipper.CodeUnavailable,
		"the server stops; what was asked for goes on when it runs again: look before asking again"))
	if err := s.http.Shutdown(ctx); err != nil {
		return s.http.Close() // a client that does not go is no failure of ours
	}
	return nil
}

// linger waits while readiness says no and all else still works.
func (s *Server) linger(ctx context.Context) {
	timer := time.NewTimer(s.config.Linger)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
