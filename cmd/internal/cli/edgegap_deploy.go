package cli

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/edgegap"
)

// deployOptions are those of the commands that start a game server.
type deployOptions struct {
	ips, places, env, secretEnv, tags, hosts []string

	cpu, memory               int
	cachedOnly                bool
	ready, failed, terminated string

	v1, telemetry                  bool
	filters                        []string
	command, arguments, logStorage string
}

// Flags that only one of the two calls knows.
const (
	onlyV1 = "filter command arguments log-storage telemetry"
	onlyV2 = "user-at cpu-units memory-mib cached-only webhook-error webhook-terminated"
)

func (o *deployOptions) flags(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&o.ips, "user-ip", nil, "IP addresses of players, as a,b: they decide where it runs")
	cmd.Flags().StringSliceVar(&o.places, "user-at", nil, "places of players as LATITUDE:LONGITUDE, as 45.5:-73.6")
	variableFlags(cmd, &o.env, &o.secretEnv)
	cmd.Flags().StringSliceVar(&o.tags, "tag", nil, "tags of the deployment, as a,b, of at most 20 characters each")
	cmd.Flags().IntVar(&o.cpu, "cpu-units", 0, "CPU units, 1024 for a whole CPU (default: the version's)")
	cmd.Flags().IntVar(&o.memory, "memory-mib", 0, "memory in MiB (default: the version's)")
	cmd.Flags().BoolVar(&o.cachedOnly, "cached-only", false, "only locations that hold the image already")
	cmd.Flags().StringVar(&o.ready, "webhook-ready", "", "URL to be called when it is ready; with --v1 also on an error")
	cmd.Flags().StringVar(&o.failed, "webhook-error", "", "URL to be called when it failed")
	cmd.Flags().StringVar(&o.terminated, "webhook-terminated", "", "URL to be called when it has ended")
}

func newEdgegapDeploy(e *edge) *cobra.Command {
	var o deployOptions
	cmd := e.asks(&cobra.Command{
		Use:   "deploy APPLICATION VERSION",
		Short: "Start a game server of a version",
		Long: "Start a game server of a version, near the players. It answers with the request id, before it is ready. No\n" +
			"release of skiff knows of it: stop it with 'skiff edgegap stop'.\n\n" +
			"--v1 takes the older call, which Edgegap deprecates, for filters of locations, another command or stored logs;\n" +
			"without a version it takes the last one made.",
		Example: "  skiff edgegap deploy arena 1.4.0 --user-ip 203.0.113.7 --tag ranked\n" +
			"  skiff edgegap deploy arena 1.4.0 --user-at 45.5:-73.6 --env MODE=duel --secret-env MATCH_KEY\n" +
			"  skiff edgegap deploy arena --v1 --user-ip 203.0.113.7 --filter country:any:Canada,Germany",
		Args: between(1, "APPLICATION", "VERSION"),
	}, func(ctx context.Context, client *edgegap.Client, args []string) error {
		if o.v1 {
			return e.deployV1(ctx, client, o, args)
		}
		request, err := e.deployRequest(o, args)
		if err != nil {
			return err
		}
		id, err := client.Deploy(ctx, request)
		if err != nil {
			return err
		}
		return e.deployed(id, map[string]string{"request_id": id})
	})
	o.flags(cmd)
	cmd.Flags().BoolVar(&o.v1, "v1", false, "take the older call")
	cmd.Flags().StringArrayVar(&o.filters, "filter", nil,
		"with --v1: locations, as country:any:Canada,Germany or city:not:Tokyo; may be repeated")
	cmd.Flags().StringVar(&o.command, "command", "", "with --v1: command that replaces the image's")
	cmd.Flags().StringVar(&o.arguments, "arguments", "", "with --v1: arguments that replace the image's")
	cmd.Flags().StringVar(&o.logStorage, "log-storage", "", "with --v1: where the log is kept: true, false or a name")
	cmd.Flags().BoolVar(&o.telemetry, "telemetry", false, "with --v1: measure how far the players are first, which takes longer")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		foreign, sentence := onlyV1, "--%s needs --v1: add it"
		if o.v1 {
			foreign, sentence = onlyV2, "--%s is not for --v1: leave one of them out"
		}
		for flag := range strings.FieldsSeq(foreign) {
			if cmd.Flags().Changed(flag) {
				return usagef(sentence, flag)
			}
		}
		return nil
	}
	return cmd
}

// deployed says what to look at next.
func (e *edge) deployed(id string, value any) error {
	return e.show(value, func() error {
		return e.say("Deployment %s was asked for; 'skiff edgegap status %[1]s' shows how it is\n", id)
	})
}

func (e *edge) deployRequest(o deployOptions, args []string) (edgegap.DeployRequest, error) {
	request := edgegap.DeployRequest{RequireCachedLocations: o.cachedOnly, Tags: o.tags, Application: args[0]}
	if len(args) < 2 {
		return request, usagef("VERSION is missing; 'skiff edgegap versions list %s' shows them", args[0])
	}
	request.Version = args[1]
	for _, ip := range o.ips {
		request.Users = append(request.Users, edgegap.UserAt(ip))
	}
	for _, text := range o.places {
		one, other, _ := strings.Cut(text, ":")
		latitude, err := strconv.ParseFloat(one, 64)
		longitude, err2 := strconv.ParseFloat(other, 64)
		if err != nil || err2 != nil {
			return request, usagef("--user-at is %q: write LATITUDE:LONGITUDE in degrees, as 45.5:-73.6", text)
		}
		request.Users = append(request.Users, edgegap.UserNear(latitude, longitude))
	}
	if len(request.Users) == 0 {
		return request, usagef("nobody says where it is to run: name a player with --user-ip or --user-at")
	}
	if (o.cpu != 0) != (o.memory != 0) {
		return request, usagef("--cpu-units and --memory-mib belong together: give both or none")
	}
	if o.cpu != 0 {
		request.Resources = &edgegap.Resources{CPUUnits: o.cpu, MemoryMiB: o.memory}
	}
	request.OnReady, request.OnError, request.OnTerminated = webhook(o.ready), webhook(o.failed), webhook(o.terminated)
	var err error
	request.Environment, err = e.assignments(o.env, o.secretEnv)
	return request, err
}

func webhook(url string) *edgegap.Webhook {
	if url == "" {
		return nil
	}
	return &edgegap.Webhook{URL: url}
}

func (e *edge) deployV1(ctx context.Context, client *edgegap.Client, o deployOptions, args []string) error {
	if len(o.ips) == 0 {
		return usagef("nobody says where it is to run: name a player with --user-ip")
	}
	request := edgegap.DeployV1Request{Application: args[0], IPs: o.ips, Tags: o.tags, WebhookURL: o.ready}
	if len(args) > 1 {
		request.Version = args[1]
	}
	var err error
	if request.Environment, err = e.assignments(o.env, o.secretEnv); err != nil {
		return err
	}
	if request.Filters, err = locationFilters(o.filters); err != nil {
		return err
	}
	if o.telemetry {
		request.SkipTelemetry = new(false)
	}
	if o.command != "" {
		request.Command = &o.command
	}
	if o.arguments != "" {
		request.Arguments = &o.arguments
	}
	request.LogStorage = edgegap.ParseLogStorage(o.logStorage)
	result, err := client.DeployV1(ctx, request) //nolint:staticcheck // --v1 asks for what is deprecated
	if err != nil {
		return err
	}
	return e.deployed(result.RequestID, result)
}

func locationFilters(texts []string) ([]edgegap.LocationFilter, error) {
	fields := []string{"city", "country", "continent", "region", "administrative_division", "location_tags"}
	var out []edgegap.LocationFilter
	for _, text := range texts {
		field, rest, _ := strings.Cut(text, ":")
		kind, values, _ := strings.Cut(rest, ":")
		if !slices.Contains(fields, field) || !slices.Contains([]string{"any", "all", "not"}, kind) || values == "" {
			return nil, usagef("--filter is %q: write FIELD:any:VALUE,VALUE, or all or not for any; the fields are %s", text,
				strings.Join(fields, ", "))
		}
		out = append(out, edgegap.LocationFilter{
			Field: field, Type: edgegap.FilterType(kind), Values: strings.Split(values, ","),
		})
	}
	return out, nil
}
