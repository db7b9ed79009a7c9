package main

import (
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/term"
)

// signals ends the program with Ctrl-C and SIGTERM; Ctrl-C may go elsewhere for a while.
type signals struct {
	mu    sync.Mutex
	taker chan struct{} // nil: Ctrl-C ends the program
}

// listen calls stop with the first signal. One that comes after it ends the program at once.
func listen(stop func()) *signals {
	s := &signals{}
	received := make(chan os.Signal, 1)
	signal.Notify(received, os.Interrupt, syscall.SIGTERM)
	go func() {
		for {
			if sig := <-received; sig == os.Interrupt && s.taken() {
				continue
			}
			signal.Stop(received)
			stop()
			return
		}
	}()
	return s
}

// taken gives Ctrl-C to whoever took it. One that waits to be seen already is enough.
func (s *signals) taken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taker == nil {
		return false
	}
	select {
	case s.taker <- struct{}{}:
	default:
	}
	return true
}

// take has Ctrl-C sent to a channel until release is called.
func (s *signals) take() (pressed <-chan struct{}, release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taker = make(chan struct{}, 1)
	return s.taker, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.taker = nil
	}
}

// width gives the columns of the terminal that standard output or standard error is; COLUMNS beats it, 0: unknown.
func width() int {
	if columns, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && columns > 0 {
		return columns
	}
	for _, f := range []*os.File{os.Stdout, os.Stderr} {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil {
			return columns
		}
	}
	return 0
}

// password asks for a secret, which the terminal does not show.
func password(prompt string) (string, error) {
	if _, err := os.Stderr.WriteString(prompt); err != nil {
		return "", err
	}
	secret, err := term.ReadPassword(int(os.Stdin.Fd()))
	_, _ = os.Stderr.WriteString("\n") // the terminal did not show the end of the line either
	return string(secret), err
}
