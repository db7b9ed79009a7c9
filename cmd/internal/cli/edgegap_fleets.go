package cli

import (
	"context"
	"fmt"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/edgegap"
)

func newEdgegapFleets(e *edge) *cobra.Command {
	return group("fleets", "List the hosts of private fleets, and start game servers on them",
		newEdgegapFleetsHosts(e), newEdgegapFleetsDeploy(e))
}

func newEdgegapFleetsHosts(e *edge) *cobra.Command {
	var p pages
	cmd := e.asks(&cobra.Command{
		Use:     "hosts FLEET",
		Short:   "List the hosts of a private fleet, and how full they are",
		Example: "  skiff edgegap fleets hosts alpha",
		Args:    exactly("FLEET"),
	}, func(ctx context.Context, client *edgegap.Client, args []string) error {
		hosts, err := listed(e.cli, p, client.FleetHosts(ctx, args[0]),
			func(paging edgegap.Paging) (edgegap.Page[edgegap.Host], error) {
				return client.ListFleetHosts(ctx, args[0], paging)
			})
		if err != nil {
			return err
		}
		return e.show(hosts, func() error {
			rows := []table.Row{}
			for _, h := range hosts {
				rows = append(rows, table.Row{
					h.ID, h.Status, h.IPAddress, h.City, h.Country, fmt.Sprintf("%d/%d", h.AllocatedCPUUnits, h.AllocatableCPUUnits),
					fmt.Sprintf("%d/%d", h.AllocatedMemoryMB, h.AllocatableMemoryMB),
				})
			}
			return e.table(table.Row{"Host", "State", "Address", "City", "Country", "CPU units", "Memory MB"}, rows)
		})
	})
	p.flags(cmd)
	return cmd
}

func newEdgegapFleetsDeploy(e *edge) *cobra.Command {
	var o deployOptions
	cmd := e.asks(&cobra.Command{
		Use:   "deploy APPLICATION VERSION --host HOST",
		Short: "Start a game server on private hosts, or in the cloud when they are full",
		Long: "Start a game server on private hosts, tried in the order given, or in the cloud when they are full. It answers\n" +
			"with the request id, before it is ready.",
		Example: "  skiff edgegap fleets deploy arena 1.4.0 --host alpha-host-0,alpha-host-1 --user-ip 203.0.113.7",
		Args:    exactly("APPLICATION", "VERSION"),
	}, func(ctx context.Context, client *edgegap.Client, args []string) error {
		if len(o.hosts) == 0 {
			return usagef("--host is missing: name private hosts; 'skiff edgegap fleets hosts FLEET' shows them")
		}
		request, err := e.deployRequest(o, args)
		if err != nil {
			return err
		}
		id, err := client.DeployToFleet(ctx, edgegap.FleetDeployRequest{DeployRequest: request, HostIDs: o.hosts})
		if err != nil {
			return err
		}
		return e.deployed(id, map[string]string{"request_id": id})
	})
	o.flags(cmd)
	cmd.Flags().StringSliceVar(&o.hosts, "host", nil, "ids of private hosts to try, in this order, as a,b")
	return cmd
}

func newEdgegapLocations(e *edge) *cobra.Command {
	var p pages
	var query edgegap.LocationQuery
	cmd := e.asks(&cobra.Command{
		Use:     "locations",
		Short:   "List the places where game servers can run",
		Example: "  skiff edgegap locations\n  skiff edgegap locations --app arena --app-version 1.4.0 -o json",
		Args:    exactly(),
	}, func(ctx context.Context, client *edgegap.Client, _ []string) error {
		if query.Version != "" && query.Application == "" {
			return usagef("--app-version needs --app: name the application")
		}
		found, err := listed(e.cli, p, client.Locations(ctx, query),
			func(paging edgegap.Paging) (edgegap.Page[edgegap.Location], error) {
				return client.ListLocations(ctx, query, paging)
			})
		if err != nil {
			return err
		}
		return e.show(found, func() error {
			rows := []table.Row{}
			for _, l := range found {
				rows = append(rows, table.Row{
					l.City, l.AdministrativeDivision, l.Country, l.Continent, fmt.Sprintf("%g:%g", l.Latitude, l.Longitude),
				})
			}
			return e.table(table.Row{"City", "Division", "Country", "Continent", "Place"}, rows)
		})
	})
	p.flags(cmd)
	cmd.Flags().StringVar(&query.Application, "app", "", "those with room for an application")
	cmd.Flags().StringVar(&query.Version, "app-version", "", "those with room for a version of it")
	cmd.Flags().StringVar(&query.Type, "type", "", "those of a type, as standard")
	cmd.Flags().BoolVar(&query.WithTags, "with-tags", false, "with the tags of each, in the JSON")
	return cmd
}
