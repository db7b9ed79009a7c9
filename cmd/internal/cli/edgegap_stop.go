package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/edgegap"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// stopsAtOnce is how many request ids one bulk-stop names at most.
const stopsAtOnce = 50

// logStorage adds the flag of the calls that stop something.
func logStorage(cmd *cobra.Command, value *string) {
	cmd.Flags().StringVar(value, "log-storage", "",
		"keep the log: true or false for the version's endpoint storage, or the name of one (default: as the version says)")
}

func newEdgegapStop(e *edge) *cobra.Command {
	var o edgegap.StopOptions
	cmd := e.asks(&cobra.Command{
		Use:   "stop REQUEST-ID…",
		Short: "Stop deployments by their request ids",
		Long: "Stop deployments by their request ids. They get SIGTERM and their grace period; one that still starts is stopped\n" +
			"once it is ready. Their logs are gone afterwards. A server of skiff replaces what belongs to a release of its:\n" +
			"use 'skiff release delete' there.",
		Example: "  skiff edgegap stop 6f3a1b2c4d5e\n  skiff edgegap stop 6f3a1b2c4d5e 0123456789ab --log-storage true",
		Args: func(_ *cobra.Command, ids []string) error {
			if len(ids) == 0 || slices.Contains(ids, "") {
				return usagef("REQUEST-ID is missing; 'skiff edgegap deployments' shows them")
			}
			return nil
		},
	}, func(ctx context.Context, client *edgegap.Client, ids []string) error {
		var rows []stopped
		var failed error
		for _, id := range ids {
			result, err := client.Stop(ctx, id, o)
			if err != nil {
				failed = err
				rows = append(rows, stopped{id, "failed", err.Error()})
				continue
			}
			rows = append(rows, stopped{id, string(result.Stopping), stopMeans[result.Stopping]})
		}
		if len(ids) == 1 && failed != nil {
			return failed
		}
		if err := e.showStopped(rows); err != nil {
			return err
		}
		return failed
	})
	logStorage(cmd, &o.LogStorage)
	return cmd
}

// stopped is what became of a stop.
type stopped struct {
	id, stopping, text string
}

var stopMeans = map[edgegap.Stopping]string{
	edgegap.StopAccepted: "it gets SIGTERM and its grace period",
	edgegap.StopQueued:   "it still starts, and is stopped once it is ready",
	edgegap.StopEnded:    "it had ended before",
}

func (c *cli) showStopped(all []stopped) error {
	values, rows := []map[string]string{}, []table.Row{}
	for _, one := range all {
		values = append(values, map[string]string{"request_id": one.id, "stopping": one.stopping, "message": one.text})
		rows = append(rows, table.Row{one.id, one.stopping, one.text})
	}
	return c.show(values, func() error { return c.table(table.Row{"Request ID", "Stop", "Message"}, rows) })
}

func newEdgegapBulkStop(e *edge) *cobra.Command {
	var o choice
	var all, yes bool
	cmd := e.asks(&cobra.Command{
		Use:   "bulk-stop",
		Short: "Stop all deployments that flags choose, after showing them",
		Long: "Stop all deployments that flags choose, as in 'skiff edgegap deployments'. It shows them and asks; exactly those\n" +
			"that were shown are stopped, by their request ids. Where nobody can be asked --yes is due.",
		Example: "  skiff edgegap bulk-stop --tag load-test\n  skiff edgegap bulk-stop --app arena --app-version 1.3.0 --yes",
		Args:    exactly(),
	}, func(ctx context.Context, client *edgegap.Client, _ []string) error {
		query, err := o.query()
		switch {
		case err != nil:
			return err
		case len(query.Filters) == 0 && !all:
			return usagef("nothing says what to stop: give a filter, as --tag, or --all")
		case len(query.Filters) > 0 && all:
			return usagef("--all and a filter exclude each other: give one of them")
		}
		var found []edgegap.DeploymentSummary
		for d, err := range client.Deployments(ctx, query) {
			if err != nil {
				return err
			}
			if o.matches(d) && !d.State.Ending() {
				found = append(found, d)
			}
		}
		if len(found) == 0 {
			return e.show([]stopped{}, func() error { return e.say("No deployment is like that\n") })
		}
		if err := e.confirmStop(found, yes); err != nil {
			return err
		}
		return e.bulkStop(ctx, client, found)
	})
	o.flags(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "all deployments of the organization")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// matches looks again at what Edgegap found: how it compares is not documented well, and a stop cannot be taken back.
func (o *choice) matches(d edgegap.DeploymentSummary) bool {
	one := func(wanted []string, has ...string) bool {
		return len(wanted) == 0 || slices.ContainsFunc(wanted, func(w string) bool { return slices.Contains(has, w) })
	}
	same := func(wanted, has string) bool { return wanted == "" || has == "" || wanted == has }
	return one(o.ids, d.RequestID) && one(o.tags, d.Tags...) && same(o.app, d.Application) && same(o.version, d.Version)
}

// confirmStop shows what is to be stopped and asks.
func (e *edge) confirmStop(found []edgegap.DeploymentSummary, yes bool) error {
	if yes {
		return nil
	}
	people := *e.cli
	people.Out = e.Err
	if err := people.tableOfDeployments(found); err != nil {
		return err
	}
	if !e.IsTTY {
		return coded{
			fmt.Errorf("%d would be stopped, and nobody can be asked here: add --yes", len(found)), skipper.CodeInvalid,
		}
	}
	agreed, err := e.agreed("Stop %d?", len(found))
	if err == nil && !agreed {
		err = skipper.Errorf(skipper.CodeCancelled, "nothing was stopped")
	}
	return err
}

// bulkStop stops deployments with few calls. What Edgegap does not take is a conflict: it has ended meanwhile, mostly.
func (e *edge) bulkStop(ctx context.Context, client *edgegap.Client, found []edgegap.DeploymentSummary) error {
	var rows []stopped
	left := 0
	for chunk := range slices.Chunk(found, stopsAtOnce) {
		ids := []string{}
		for _, d := range chunk {
			ids = append(ids, d.RequestID)
		}
		taken, err := client.BulkStop(ctx, edgegap.StopFilter{
			Field: edgegap.StopByRequestID, Type: edgegap.MatchAny, Values: ids,
		})
		if err != nil {
			return err
		}
		for _, id := range ids {
			if !slices.Contains(taken, id) {
				left++
				rows = append(rows, stopped{id, "refused", "Edgegap does not take it; it may have ended"})
				continue
			}
			rows = append(rows, stopped{id, string(edgegap.StopAccepted), "it ends"})
		}
	}
	if err := e.showStopped(rows); err != nil || left == 0 {
		return err
	}
	return skipper.Errorf(skipper.CodeConflict, "%d of %d were not stopped; 'skiff edgegap deployments' shows what is there", left,
		len(found))
}

func newEdgegapSelfStop(e *edge) *cobra.Command {
	var storage string
	cmd := &cobra.Command{
		Use:   "self-stop",
		Short: "Stop the deployment this runs in, from inside its container",
		Long: "Stop the deployment this runs in, from inside its container, with what Edgegap sets there:\n" +
			"ARBITRIUM_DELETE_URL and ARBITRIUM_DELETE_TOKEN. It needs no other token.",
		Example: "  skiff edgegap self-stop",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, request, err := edgegap.FromContainer(e.Env, edgegap.Options{
				Clock: edgegapClock{e.Clock, e.after}, UserAgent: "skiff/" + e.Version,
			})
			if err != nil {
				return e.fault(err)
			}
			defer client.Close()
			request.LogStorage = storage
			result, err := client.SelfStop(cmd.Context(), request)
			if err != nil {
				return e.fault(err)
			}
			return e.showStopped([]stopped{{request.RequestID, string(result.Stopping), stopMeans[result.Stopping]}})
		},
	}
	logStorage(cmd, &storage)
	return cmd
}
