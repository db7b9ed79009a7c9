package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/edgegap"
)

// choice are the flags that choose deployments.
type choice struct {
	ids, tags, filters                []string
	app, version, status, fleet, host string
}

func (o *choice) flags(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&o.ids, "id", nil, "those with one of these request ids, as a,b")
	cmd.Flags().StringSliceVar(&o.tags, "tag", nil, "those with one of these tags, as a,b")
	cmd.Flags().StringVar(&o.app, "app", "", "those of an application")
	cmd.Flags().StringVar(&o.version, "app-version", "", "those of a version")
	cmd.Flags().StringVar(&o.status, "status", "", "ready or error")
	cmd.Flags().StringVar(&o.fleet, "fleet", "", "those of a private fleet")
	cmd.Flags().StringVar(&o.host, "host", "", "those on a private host")
	cmd.Flags().StringArrayVar(&o.filters, "filter", nil, "any other filter of Edgegap, as created_at:gte:2026-01-02T15:04:05Z or "+
		"tags:nin:a,b; one for each field")
}

// query is what the flags ask Edgegap for.
func (o *choice) query() (edgegap.DeploymentQuery, error) {
	var query edgegap.DeploymentQuery
	add := func(field edgegap.QueryField, values ...string) {
		switch {
		case len(values) == 1 && values[0] != "":
			query.Filters = append(query.Filters, edgegap.Filter{Field: field, Operator: edgegap.Equal, Value: values[0]})
		case len(values) > 1:
			query.Filters = append(query.Filters, edgegap.Filter{Field: field, Operator: edgegap.In, Value: values})
		}
	}
	if status := strings.ToLower(o.status); status != "" && status != "ready" && status != "error" {
		return query, usagef("--status is %q: use ready or error", o.status)
	}
	add(edgegap.ByRequestID, o.ids...)
	add(edgegap.ByTag, o.tags...)
	add(edgegap.ByApplication, o.app)
	add(edgegap.ByVersion, o.version)
	add(edgegap.ByStatus, strings.ToLower(o.status))
	add(edgegap.ByFleet, o.fleet)
	add(edgegap.ByHost, o.host)
	for _, text := range o.filters {
		field, rest, _ := strings.Cut(text, ":")
		operator, value, ok := strings.Cut(rest, ":")
		if !ok || field == "" || operator == "" || value == "" {
			return query, usagef("--filter is %q: write FIELD:OPERATOR:VALUE, as version:neq:1.4.0", text)
		}
		filter := edgegap.Filter{Field: edgegap.QueryField(field), Operator: edgegap.Operator(operator), Value: value}
		if filter.Operator == edgegap.In || filter.Operator == edgegap.NotIn {
			filter.Value = strings.Split(value, ",")
		}
		query.Filters = append(query.Filters, filter)
	}
	return query, nil
}

func newEdgegapDeployments(e *edge) *cobra.Command {
	var o choice
	var p pages
	var order string
	cmd := e.asks(&cobra.Command{
		Use:   "deployments",
		Short: "List what runs or starts, and what is in error",
		Long: "List what runs or starts, and what is in error. Several flags must all hold. How long a new deployment takes to\n" +
			"show up is not documented by Edgegap.",
		Example: "  skiff edgegap deployments --tag ranked\n  skiff edgegap deployments --app arena --status error -o json\n" +
			"  skiff edgegap deployments --filter tags:nin:ranked,casual --order created_at:desc --limit 20",
		Args: exactly(),
	}, func(ctx context.Context, client *edgegap.Client, _ []string) error {
		query, err := o.query()
		if err != nil {
			return err
		}
		if order != "" {
			field, direction, _ := strings.Cut(order, ":")
			query.OrderBy = []edgegap.Order{{Field: field, Direction: direction}}
		}
		found, err := listed(e.cli, p, client.Deployments(ctx, query),
			func(paging edgegap.Paging) (edgegap.Page[edgegap.DeploymentSummary], error) {
				return client.ListDeployments(ctx, query, paging)
			})
		if err != nil {
			return err
		}
		return e.show(found, func() error { return e.tableOfDeployments(found) })
	})
	o.flags(cmd)
	p.flags(cmd)
	cmd.Flags().StringVar(&order, "order", "", "field and direction, as created_at:desc")
	return cmd
}

func (c *cli) tableOfDeployments(found []edgegap.DeploymentSummary) error {
	rows := []table.Row{}
	for _, d := range found {
		state := d.State
		if state == "" && d.Ready {
			state = edgegap.StateReady
		}
		rows = append(rows, table.Row{
			d.RequestID, state, d.Application, d.Version, d.FQDN, shortPorts(d.Ports), when(d.StartTime), peopleTags(d.Tags),
		})
	}
	return c.table(table.Row{"Request ID", "State", "Application", "Version", "Address", "Ports", "Ready since", "Tags"}, rows)
}

// shortPorts are the ports as they are outside, by name.
func shortPorts(ports map[string]edgegap.Port) string {
	texts := []string{}
	for _, name := range slices.Sorted(maps.Keys(ports)) {
		texts = append(texts, fmt.Sprintf("%s:%d/%s", name, ports[name].External, strings.ToUpper(ports[name].Protocol)))
	}
	return strings.Join(texts, " ")
}

// peopleTags leaves out the tags that speak to skiff only.
func peopleTags(tags []string) string {
	tags = slices.DeleteFunc(slices.Clone(tags), func(tag string) bool { return strings.HasPrefix(tag, "sk-") })
	return strings.Join(tags, " ")
}

func newEdgegapStatus(e *edge) *cobra.Command {
	return e.asks(&cobra.Command{
		Use:     "status REQUEST-ID",
		Short:   "Show how a deployment is: state, address, ports, place, and why it failed",
		Example: "  skiff edgegap status 6f3a1b2c4d5e\n  skiff edgegap status 6f3a1b2c4d5e -o json",
		Args:    exactly("REQUEST-ID"),
	}, func(ctx context.Context, client *edgegap.Client, args []string) error {
		d, err := client.Status(ctx, args[0])
		if err != nil {
			return err
		}
		return e.show(d, func() error { return e.showDeployment(d) })
	})
}

func (c *cli) showDeployment(d edgegap.Deployment) error {
	line := func(name, value string) string {
		if value == "" {
			return ""
		}
		return fmt.Sprintf("%-13s%s\n", name+":", value)
	}
	address := d.FQDN
	if d.PublicIP != "" {
		address += " (" + d.PublicIP + ")"
	}
	place := ""
	if d.Location != nil {
		place = d.Location.City + ", " + d.Location.Country
	}
	end := when(d.RemovalTime)
	if end == "" && !d.StartTime.IsZero() && d.MaxDurationMinutes > 0 {
		end = when(edgegap.Time{Time: d.StartTime.Add(time.Duration(d.MaxDurationMinutes) * time.Minute)}) + " at the latest"
	}
	err := c.say("%s", line("Deployment", d.RequestID)+line("State", string(d.State))+line("Error", d.ErrorDetail)+
		line("Application", d.Application)+line("Version", d.Version)+line("Address", address)+line("Location", place)+
		line("Ready since", when(d.StartTime))+line("Ends", end)+line("Tags", peopleTags(d.Tags)))
	if err != nil || len(d.Ports) == 0 {
		return err
	}
	rows := []table.Row{}
	for _, name := range slices.Sorted(maps.Keys(d.Ports)) {
		p := d.Ports[name]
		rows = append(rows, table.Row{name, strings.ToUpper(p.Protocol), p.Internal, p.External, p.Link})
	}
	if err := c.say("\n"); err != nil {
		return err
	}
	return c.table(table.Row{"Port", "Protocol", "Inside", "Outside", "Link"}, rows)
}

func newEdgegapLogs(e *edge) *cobra.Command {
	return e.asks(&cobra.Command{
		Use:   "logs REQUEST-ID",
		Short: "Print what a deployment wrote so far, and how it crashed",
		Long: "Print what a deployment wrote so far, and how it crashed. The log is gone with the deployment, unless an\n" +
			"endpoint storage keeps it.",
		Example: "  skiff edgegap logs 6f3a1b2c4d5e",
		Args:    exactly("REQUEST-ID"),
	}, func(ctx context.Context, client *edgegap.Client, args []string) error {
		logs, err := client.Logs(ctx, args[0])
		if err != nil {
			return err
		}
		return e.show(logs, func() error { return e.showContainerLogs(logs) })
	})
}

func (c *cli) showContainerLogs(logs edgegap.Logs) error {
	out := lined(logs.Text)
	if crash := logs.Crash; crash != nil {
		out += fmt.Sprintf("==> crashed with exit code %d, started again %d times: %s <==\n%s",
			crash.ExitCode, crash.RestartCount, crash.Message, lined(logs.CrashText))
	}
	if logs.Link != "" {
		out += "==> kept at " + logs.Link + " <==\n"
	}
	return c.say("%s", out)
}

// lined is a text whose last line has an end.
func lined(text string) string {
	if text == "" {
		return ""
	}
	return strings.TrimSuffix(text, "\n") + "\n"
}

func newEdgegapMetrics(e *edge) *cobra.Command {
	var start, end string
	var query edgegap.MetricsQuery
	cmd := e.asks(&cobra.Command{
		Use:   "metrics REQUEST-ID",
		Short: "Show what a deployment used: CPU, memory, network, disk",
		Long: "Show what a deployment used: for each metric the last, smallest and largest value, and their average. All\n" +
			"values, with their times, are in the JSON.",
		Example: "  skiff edgegap metrics 6f3a1b2c4d5e --step 5m\n" +
			"  skiff edgegap metrics 6f3a1b2c4d5e --start 2026-01-02T15:04:05Z -o json",
		Args: exactly("REQUEST-ID"),
	}, func(ctx context.Context, client *edgegap.Client, args []string) error {
		for _, one := range []struct {
			flag, text string
			to         *time.Time
		}{{"start", start, &query.Start}, {"end", end, &query.End}} {
			at, err := time.Parse(time.RFC3339, one.text)
			if one.text != "" && err != nil {
				return usagef("--%s is %q: write a time as 2026-01-02T15:04:05Z", one.flag, one.text)
			}
			*one.to = at
		}
		metrics, err := client.Metrics(ctx, args[0], query)
		if err != nil {
			return err
		}
		return e.show(metrics, func() error { return e.showMetrics(metrics) })
	})
	cmd.Flags().StringVar(&start, "start", "", "from this time on, as 2026-01-02T15:04:05Z (default: since it is ready)")
	cmd.Flags().StringVar(&end, "end", "", "until this time (default: now)")
	cmd.Flags().DurationVar(&query.Step, "step", 0, "30s, 1m, 5m, 10m or 1h between two values (default: Edgegap's)")
	cmd.Flags().BoolVar(&query.Raw, "raw", false, "what was measured, without averages")
	return cmd
}

func (c *cli) showMetrics(m edgegap.Metrics) error {
	rows := []table.Row{}
	for _, one := range []struct {
		name   string
		series edgegap.Series
	}{
		{"CPU", m.CPU},
		{"CPU throttle rate", m.CPUThrottleRate},
		{"CPU throttled", m.CPUThrottled},
		{"Memory", m.Memory},
		{"Network received", m.Network.Received},
		{"Network transmitted", m.Network.Transmitted},
		{"Received in all", m.Total.Received},
		{"Transmitted in all", m.Total.Transmitted},
		{"Read from disk in all", m.Total.DiskRead},
		{"Written to disk in all", m.Total.DiskWritten},
	} {
		values := one.series.Values
		if len(values) == 0 {
			rows = append(rows, table.Row{one.name, 0, "", "", "", ""})
			continue
		}
		sum := 0.0
		for _, v := range values {
			sum += v
		}
		rows = append(rows, table.Row{
			one.name, len(values), number(values[len(values)-1]), number(slices.Min(values)), number(slices.Max(values)),
			number(sum / float64(len(values))),
		})
	}
	return c.table(table.Row{"Metric", "Values", "Last", "Smallest", "Largest", "Average"}, rows)
}

func number(value float64) string { return fmt.Sprintf("%.6g", value) }
