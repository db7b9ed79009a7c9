package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/client"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// logOptions choose lines.
type logOptions struct {
	name, since string
	tail        int
	query       skipper.LogQuery
}

func newReleaseLogs(c *cli) *cobra.Command {
	var o logOptions
	cmd := &cobra.Command{
		Use:   "logs [RELEASE]",
		Short: "Print the logs of a release's applications",
		Long: "Print the logs of the applications of a release's newest version: all that is kept, the end of it with\n" +
			"--tail or --since, and with --follow what is written from now on, until Ctrl-C or until the version is gone.\n" +
			"With one of these, or --instance, each line is named by its instance where there are several.",
		Example: "  skiff release logs hello\n  skiff release logs hello -f --tail 20\n" +
			"  skiff release logs hello --since 10m --instance hello.hello-v1-0",
		Args: atMost(1),
	}
	flags := cmd.Flags()
	flags.BoolVarP(&o.query.Follow, "follow", "f", false, "go on with what is written from now on")
	flags.IntVar(&o.tail, "tail", 0, "only so many of the last lines of each stream of each instance")
	flags.StringVar(&o.since, "since", "", "only lines from then on, as 10m or 2026-01-02T03:04:05Z, where lines have a time")
	flags.StringVar(&o.query.Instance, "instance", "", "only this instance; 'skiff release status' names them")
	releaseName(cmd, &o.name)
	cmd.RunE = c.asking(func(ctx context.Context, s *client.Client, args []string) error {
		name, err := named(args, o.name, "release-name")
		if err != nil {
			return err
		}
		if flags.Changed("follow") || flags.Changed("tail") || flags.Changed("since") || flags.Changed("instance") {
			return c.readLogs(ctx, s, name, o, flags.Changed("tail"))
		}
		logs, err := s.Logs(ctx, name)
		if err != nil {
			return err
		}
		return c.show(logs, func() error { return c.showLogs(logs) })
	})
	return cmd
}

func (c *cli) showLogs(info skipper.LogInfo) error {
	parts := []string{}
	for _, id := range slices.Sorted(maps.Keys(info.Logs)) {
		parts = append(parts, fmt.Sprintf("==> %s <==\n%s\n", id, strings.TrimSuffix(info.Logs[id], "\n")))
	}
	return c.say("%s", strings.Join(parts, "\n"))
}

// readLogs prints lines as they come; as JSON one object a line.
func (c *cli) readLogs(ctx context.Context, s *client.Client, name string, o logOptions, tail bool) error {
	switch {
	case tail && o.tail < 0:
		return usagef("--tail is %d: give a number of lines from 0", o.tail)
	case tail && o.tail == 0:
		o.query.Tail = -1
	default:
		o.query.Tail = o.tail
	}
	if o.since != "" {
		var err error
		if o.query.Since, err = since(o.since, c.Clock()); err != nil {
			return err
		}
	}
	several := false
	if o.query.Instance == "" {
		info, err := s.Status(ctx, name, 0)
		if err != nil {
			return err
		}
		count := 0
		for _, app := range info.Status.AppStatuses() {
			count += len(app.Instances)
		}
		several = count > 1
	}
	encoder := json.NewEncoder(c.Out)
	encoder.SetEscapeHTML(false)
	err := s.ReadLogs(ctx, name, o.query, func(l skipper.LogLine) error {
		who := l.Instance
		if who == "" {
			who = l.DeploymentID
		}
		switch {
		case c.output == "json":
			return encoder.Encode(l)
		case several:
			return c.say("%s | %s\n", who, l.Text)
		}
		return c.say("%s\n", l.Text)
	})
	if o.query.Follow && ctx.Err() != nil {
		return nil //nolint:nilerr // Ctrl-C is how one stops
	}
	return err
}

// since reads a moment, or how long ago it was.
func since(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, usagef("--since is %q: give a duration as 10m or a time as 2026-01-02T03:04:05Z", text)
	}
	return at, nil
}
