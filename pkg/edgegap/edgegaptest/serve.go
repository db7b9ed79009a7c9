package edgegaptest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// deliverEvery is how often a served fake looks for webhooks that are due.
const deliverEvery = 50 * time.Millisecond

// Serve answers calls on a listener until the context ends, and sends webhooks. It closes the listener.
func Serve(ctx context.Context, listener net.Listener, options Options) error {
	f, err := New(options)
	if err != nil {
		_ = listener.Close()
		return err
	}
	return f.Serve(ctx, listener)
}

// Serve answers calls on a listener until the context ends, and sends webhooks. It closes the listener. A call that is
// on its way gets a second to end.
func (f *Fake) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler: f, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: time.Minute,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	var group sync.WaitGroup
	inner, cancel := context.WithCancel(ctx)
	group.Go(func() {
		<-inner.Done()
		stopping, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer stop()
		if server.Shutdown(stopping) != nil {
			_ = server.Close()
		}
	})
	group.Go(func() {
		ticker := time.NewTicker(deliverEvery)
		defer ticker.Stop()
		for {
			select {
			case <-inner.Done():
				return
			case <-ticker.C:
				f.Deliver(inner)
			}
		}
	})
	err := server.Serve(listener)
	cancel()
	group.Wait()
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the fake of Edgegap: %w", err)
	}
	return nil
}

// Server is a fake that listens on this machine.
type Server struct {
	// URL is its root, as a client's base URL.
	URL string
	// Fake is what it answers with.
	Fake *Fake

	cancel context.CancelFunc
	done   chan error
}

// Start serves a fake on a free port of this machine, until Close. The control under /_fake/ is on.
func Start(options Options) (*Server, error) {
	options.Control = true
	f, err := New(options)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		cancel()
		return nil, fmt.Errorf("listen for the fake of Edgegap: %w", err)
	}
	s := &Server{URL: "http://" + listener.Addr().String(), Fake: f, cancel: cancel, done: make(chan error, 1)}
	go func() { s.done <- f.Serve(ctx, listener) }()
	return s, nil
}

// Close stops the server and waits for its end.
func (s *Server) Close() error {
	s.cancel()
	return <-s.done
}
