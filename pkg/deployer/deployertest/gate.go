package deployertest

import (
	"context"
	"fmt"
	"time"
)

// pass stands before a gate until it is open. The empty name is no gate.
func (f *Fake) pass(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	if err := f.platform.change(func(s *state) error {
		s.Reached[name]++
		return nil
	}); err != nil {
		return err
	}
	return f.until(ctx, func(s *state) bool { return s.Open[name] })
}

// Open opens a gate for ever.
func (f *Fake) Open(name string) error {
	return f.platform.change(func(s *state) error {
		s.Open[name] = true
		return nil
	})
}

// Reached waits until a call stands, or stood, before a gate.
func (f *Fake) Reached(ctx context.Context, name string) error {
	return f.until(ctx, func(s *state) bool { return s.Reached[name] > 0 })
}

// until polls: whoever opens the gate may be another process.
func (f *Fake) until(ctx context.Context, condition func(*state) bool) error {
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for {
		met := false
		if err := f.platform.change(func(s *state) error {
			met = condition(s)
			return nil
		}); err != nil || met {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait at a gate: %w", ctx.Err())
		case <-ticker.C:
		}
	}
}
