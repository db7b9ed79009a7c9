package edgegap_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/skiff-project/skiff/pkg/edgegap"
	"github.com/skiff-project/skiff/pkg/edgegap/edgegaptest"
)

// example runs a part of an example against a fake with the application "arena", its version "1.0" and the private
// fleet "alpha", where a deployment is READY a second after pass was called.
func example(run func(ctx context.Context, c *edgegap.Client, pass func(time.Duration))) {
	ctx := context.Background()
	server, err := edgegaptest.Start(edgegaptest.Options{})
	if err != nil {
		panic(err)
	}
	defer server.Close()
	c, err := edgegap.New(edgegap.Options{Token: edgegaptest.DefaultToken, BaseURL: server.URL, Rates: edgegap.Rates{Other: 1000}})
	if err != nil {
		panic(err)
	}
	defer c.Close()
	_, first := c.CreateApplication(ctx, edgegap.ApplicationSpec{Name: "arena", Active: true})
	_, second := c.CreateVersion(ctx, "arena", version("1.0"))
	if err := errors.Join(first, second, server.Fake.AddFleet("alpha", edgegaptest.Host{ID: "alpha-1"})); err != nil {
		panic(err)
	}
	run(ctx, c, func(d time.Duration) {
		if err := server.Fake.Advance(d); err != nil {
			panic(err)
		}
	})
}

func ExampleClient_Deploy() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		id, err := c.Deploy(ctx, edgegap.DeployRequest{
			Application: "arena", Version: "1.0", Users: []edgegap.User{edgegap.UserNear(45.5, -73.5)},
			Environment: []edgegap.Variable{{Key: "MAP", Value: "desert"}}, Tags: []string{"match-42"},
		})
		fmt.Println(len(id), err)
	})
	// Output: 12 <nil>
}

// A deploy whose answer was lost is looked for before it is asked for again.
func ExampleMayHaveHappened() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		deploy := request("n-7f3a") // a tag of this attempt only
		id, err := c.Deploy(ctx, deploy)
		if edgegap.MayHaveHappened(err) {
			for d, err := range c.Deployments(ctx, edgegap.DeploymentQuery{Filters: []edgegap.Filter{edgegap.Tagged("n-7f3a")}}) {
				if err == nil {
					id = d.RequestID
				}
			}
		}
		fmt.Println(id != "")
	})
	// Output: true
}

func ExampleClient_DeployV1() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		got, err := c.DeployV1(ctx, edgegap.DeployV1Request{
			Application: "arena", IPs: []string{"203.0.113.7"},
			Filters: []edgegap.LocationFilter{{Field: "continent", Type: edgegap.MatchAny, Values: []string{"Europe"}}},
		})
		fmt.Println(got.Application, got.Version, got.UserCount, err)
	})
	// Output: arena 1.0 1 <nil>
}

func ExampleClient_Status() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		id, _ := c.Deploy(ctx, request())
		pass(time.Second)
		d, err := c.Status(ctx, id)
		fmt.Println(d.State, d.Running, d.Location.City, d.Ports["game"].Protocol, d.FQDN == id+".pr.edgegap.net", err)
		_, err = c.Status(ctx, "c0653765de3b")
		fmt.Println(edgegap.KindOf(err))
	})
	// Output:
	// READY true Montreal UDP true <nil>
	// not_found
}

func ExampleClient_Stop() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		id, _ := c.Deploy(ctx, request())
		pass(time.Second)
		for range 2 {
			got, err := c.Stop(ctx, id, edgegap.StopOptions{})
			fmt.Println(got.Stopping, err)
			pass(time.Second)
		}
	})
	// Output:
	// accepted <nil>
	// ended <nil>
}

// A game server stops itself when its match is over.
func ExampleClient_SelfStop() {
	_, _, err := edgegap.FromContainer(func(string) string { return "" }, edgegap.Options{}) // os.Getenv
	fmt.Println(err)
	c, self, err := edgegap.FromContainer(func(name string) string {
		return map[string]string{
			"ARBITRIUM_DELETE_URL": "https://api.edgegap.com/v1/self/stop/23c01225b99d/463660", "ARBITRIUM_DELETE_TOKEN": "secret",
		}[name]
	}, edgegap.Options{})
	fmt.Println(c, self.RequestID, self.AccessPoint, self.Token, err) // then c.SelfStop(ctx, self)
	// Output:
	// self-stop: ARBITRIUM_DELETE_TOKEN is not set; Edgegap sets it in the containers it starts
	// edgegap client of https://api.edgegap.com 23c01225b99d 463660 [hidden] <nil>
}

func ExampleClient_BulkStop() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		one, _ := c.Deploy(ctx, request())
		two, _ := c.Deploy(ctx, request())
		ids, err := c.BulkStop(ctx, edgegap.StopFilter{
			Field: edgegap.StopByRequestID, Type: edgegap.MatchAny, Values: []string{one, two},
		})
		fmt.Println(len(ids), err)
	})
	// Output: 2 <nil>
}

func ExampleClient_Deployments() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		_, _ = c.Deploy(ctx, request("mine"))
		_, _ = c.Deploy(ctx, request("yours"))
		pass(time.Second)
		for d, err := range c.Deployments(ctx, edgegap.DeploymentQuery{
			Filters: []edgegap.Filter{edgegap.Tagged("mine"), {Field: edgegap.ByStatus, Operator: edgegap.Equal, Value: "ready"}},
		}) {
			fmt.Println(d.Ready, d.Tags, err)
		}
	})
	// Output: true [mine] <nil>
}

func ExampleClient_ListDeployments() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		_, _ = c.Deploy(ctx, request())
		_, _ = c.Deploy(ctx, request())
		page, err := c.ListDeployments(ctx, edgegap.DeploymentQuery{}, edgegap.Paging{Number: 1, Limit: 1})
		fmt.Println(len(page.Items), page.Total, page.Pages, page.Next, err)
	})
	// Output: 1 2 2 2 <nil>
}

func ExampleClient_Locations() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		for l, err := range c.Locations(ctx, edgegap.LocationQuery{Application: "arena", Version: "1.0"}) {
			fmt.Println(l.City, l.Country, err)
			break
		}
	})
	// Output: Montreal Canada <nil>
}

func ExampleClient_ListLocations() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		page, err := c.ListLocations(ctx, edgegap.LocationQuery{}, edgegap.Paging{Limit: 2})
		fmt.Println(len(page.Items), page.Total, err)
	})
	// Output: 2 10 <nil>
}

func ExampleClient_Beacons() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		beacons, err := c.Beacons(ctx)
		fmt.Println(beacons[0].FQDN, beacons[0].UDPPort, err)
	})
	// Output: beacon-montreal.edgegap.net 30001 <nil>
}

func ExampleClient_PublicIP() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		ip, err := c.PublicIP(ctx)
		fmt.Println(ip, err)
	})
	// Output: 203.0.113.10 <nil>
}

func ExampleClient_Logs() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		id, _ := c.Deploy(ctx, request())
		pass(3 * time.Second)
		logs, err := c.Logs(ctx, id)
		fmt.Println(strings.Contains(logs.Text, "arena 1.0 starts"), logs.Encoding, logs.Crash, err)
	})
	// Output: true utf-8 <nil> <nil>
}

func ExampleClient_Metrics() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		id, _ := c.Deploy(ctx, request())
		pass(10*time.Minute + time.Second)
		metrics, err := c.Metrics(ctx, id, edgegap.MetricsQuery{Step: 5 * time.Minute})
		fmt.Println(len(metrics.CPU.Values), err)
	})
	// Output: 3 <nil>
}

func ExampleClient_DeployToFleet() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		id, err := c.DeployToFleet(ctx, edgegap.FleetDeployRequest{DeployRequest: request(), HostIDs: []string{"alpha-1"}})
		fmt.Println(len(id), err)
	})
	// Output: 12 <nil>
}

func ExampleClient_FleetHosts() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		for host, err := range c.FleetHosts(ctx, "alpha") {
			fmt.Println(host.ID, host.Status, host.AllocatableCPUUnits, err)
		}
	})
	// Output: alpha-1 ACTIVE 12928 <nil>
}

func ExampleClient_ListFleetHosts() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		page, err := c.ListFleetHosts(ctx, "alpha", edgegap.Paging{Limit: 10})
		fmt.Println(page.Total, err)
	})
	// Output: 1 <nil>
}

func ExampleClient_Tags() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		id, _ := c.Deploy(ctx, request("one", "two"))
		for tag, err := range c.Tags(ctx, id) {
			fmt.Println(tag.Name, err)
		}
	})
	// Output:
	// one <nil>
	// two <nil>
}

func ExampleClient_ListTags() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		id, _ := c.Deploy(ctx, request("one", "two"))
		page, err := c.ListTags(ctx, id, edgegap.Paging{Limit: 1})
		fmt.Println(page.Items[0].Name, page.Total, err)
	})
	// Output: one 2 <nil>
}

func ExampleClient_Tag() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		id, _ := c.Deploy(ctx, request("one"))
		tag, err := c.Tag(ctx, id, "one")
		fmt.Println(tag.Name, err)
	})
	// Output: one <nil>
}

func ExampleClient_CreateTag() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		id, _ := c.Deploy(ctx, request())
		tag, err := c.CreateTag(ctx, id, "v1.0.0")
		fmt.Println(tag.Name, err)
		_, err = c.CreateTag(ctx, id, "v1.0.0")
		fmt.Println(edgegap.KindOf(err))
	})
	// Output:
	// v1.0.0 <nil>
	// conflict
}

func ExampleClient_UpdateTag() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		id, _ := c.Deploy(ctx, request("one"))
		tag, err := c.UpdateTag(ctx, id, "one", "two")
		fmt.Println(tag.Name, err)
	})
	// Output: two <nil>
}

func ExampleClient_DeleteTag() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		id, _ := c.Deploy(ctx, request("one"))
		fmt.Println(c.DeleteTag(ctx, id, "one"))
	})
	// Output: <nil>
}

func ExampleClient_CreateApplication() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		a, err := c.CreateApplication(ctx, edgegap.ApplicationSpec{Name: "racer", Active: true})
		fmt.Println(a.Name, a.Active, err)
	})
	// Output: racer true <nil>
}

func ExampleClient_Application() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		a, err := c.Application(ctx, "arena")
		fmt.Println(a.Name, err)
	})
	// Output: arena <nil>
}

func ExampleClient_Applications() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		for a, err := range c.Applications(ctx) {
			fmt.Println(a.Name, err)
		}
	})
	// Output: arena <nil>
}

// One application is the cheapest way to learn whether a token is good.
func ExampleClient_ListApplications() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		page, err := c.ListApplications(ctx, edgegap.Paging{Limit: 1})
		fmt.Println(page.Total, err)
	})
	// Output: 1 <nil>
}

func ExampleClient_UpdateApplication() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		active := false
		a, err := c.UpdateApplication(ctx, "arena", edgegap.ApplicationChange{Active: &active})
		fmt.Println(a.Active, err)
	})
	// Output: false <nil>
}

func ExampleClient_DeleteApplication() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		fmt.Println(c.DeleteApplication(ctx, "arena"))
	})
	// Output: <nil>
}

func ExampleClient_CreateVersion() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		v, err := c.CreateVersion(ctx, "arena", edgegap.VersionSpec{
			Name: "2.0", Registry: "docker.io", Image: "me/arena", Tag: "2.0", CPUUnits: 1024, MemoryMB: 2048,
			Ports: []edgegap.VersionPort{{Name: "game", Port: 7777, Protocol: "UDP"}},
		})
		fmt.Println(v.Name, v.MaxDurationMinutes, v.RestartPolicy, err)
	})
	// Output: 2.0 1440 always <nil>
}

func ExampleClient_Version() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		v, err := c.Version(ctx, "arena", "1.0")
		fmt.Println(v.Registry, v.Image, v.Tag, err)
	})
	// Output: docker.io me/arena 1.0 <nil>
}

func ExampleClient_Versions() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		for v, err := range c.Versions(ctx, "arena") {
			fmt.Println(v.Name, err)
		}
	})
	// Output: 1.0 <nil>
}

func ExampleClient_ListVersions() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		page, err := c.ListVersions(ctx, "arena", edgegap.Paging{})
		fmt.Println(page.Total, err)
	})
	// Output: 1 <nil>
}

func ExampleClient_UpdateVersion() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		active := false
		v, err := c.UpdateVersion(ctx, "arena", "1.0", edgegap.VersionChange{Active: &active})
		fmt.Println(v.Active, err)
	})
	// Output: false <nil>
}

func ExampleClient_DeleteVersion() {
	example(func(ctx context.Context, c *edgegap.Client, pass func(time.Duration)) {
		fmt.Println(c.DeleteVersion(ctx, "arena", "1.0"))
	})
	// Output: <nil>
}
