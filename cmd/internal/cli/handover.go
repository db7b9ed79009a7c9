package cli

import (
	"context"
	"time"

	"github.com/skiff-project/skiff/pkg/client"
)

// handOver gives a command that answers when the platform has the applications. With wait, it is told meanwhile what that
// takes, as a download.
func (c *cli) handOver(
	ctx context.Context, s *client.Client, wait bool, what, name string, command func(context.Context) error,
) error {
	if !wait {
		return command(ctx)
	}
	answered := make(chan error, 1)
	go func() { answered <- command(ctx) }()
	start, period := c.Clock(), time.Second
	if !c.IsTTY {
		period = 5 * time.Second // each look is a line there
	}
	p := progress{out: c.Err, inPlace: c.IsTTY}
	defer p.end()
	for first := time.NewTimer(time.Second); ; first = time.NewTimer(period) {
		select {
		case err := <-answered:
			first.Stop()
			return err
		case <-first.C:
		}
		if text := waitsFor(ctx, s, name); text != "" {
			text = what + " of " + name + ": " + text
			if c.IsTTY {
				p.last = text // a terminal shows how it grows in one line
			}
			p.show(text, c.Clock().Sub(start))
		}
	}
}

// waitsFor says what the newest operation of a release waits for; empty when that is not known.
func waitsFor(ctx context.Context, s *client.Client, name string) string {
	operations, err := s.Operations(ctx, name)
	if err != nil || len(operations) == 0 || !operations[0].Unfinished() {
		return ""
	}
	detail, err := s.OperationDetail(ctx, operations[0].ID)
	if err != nil {
		return ""
	}
	return detail.WaitsFor
}
