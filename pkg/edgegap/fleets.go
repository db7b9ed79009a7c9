package edgegap

import (
	"context"
	"iter"
)

// FleetDeployRequest asks for one game server on hosts of one's own.
type FleetDeployRequest struct {
	DeployRequest
	// HostIDs are the private hosts to try, in this order, before the cloud; at least one, none twice.
	HostIDs []string `json:"private_host_ids"`
}

// Check tells what is wrong with the request before it is sent; DeployToFleet does so itself.
func (r FleetDeployRequest) Check() error { return r.check("deploy to fleet") }

func (r FleetDeployRequest) check(call string) error {
	if err := r.DeployRequest.check(call); err != nil {
		return err
	}
	if len(r.HostIDs) == 0 {
		return invalid(call, "private_host_ids", "private_host_ids are empty; name at least one host")
	}
	seen := map[string]bool{}
	for _, id := range r.HostIDs {
		if id == "" || seen[id] {
			return invalid(call, "private_host_ids", "private_host_ids: %.64q is empty or named twice", id)
		}
		seen[id] = true
	}
	return nil
}

// DeployToFleet starts a game server on private hosts, or in the cloud when they are full, and gives its request id.
// It asks POST /v2/private-fleets/deployments, and POST /v2/private-fleets:deploy where Edgegap does not know that
// path (404, 405). What is said of Deploy holds here too.
func (c *Client) DeployToFleet(ctx context.Context, request FleetDeployRequest) (string, error) {
	const name, current, older = "deploy to fleet", "/v2/private-fleets/deployments", "/v2/private-fleets:deploy"
	if err := request.check(name); err != nil {
		return "", err
	}
	paths := []string{current, older}
	if c.oldFleets.Load() {
		paths = []string{older, current}
	}
	var first error
	for i, target := range paths {
		id, err := c.deploy(ctx, name, target, request)
		if !is(err, 404, 405) {
			c.oldFleets.Store(target == older)
			return id, err
		}
		if i == 0 {
			first = err
		}
	}
	return "", first
}

// HostStatus is what a private host is up to.
type HostStatus string

// What a private host is up to.
const (
	// HostPending: it is being made.
	HostPending HostStatus = "PENDING"
	// HostActive: it takes deployments.
	HostActive HostStatus = "ACTIVE"
)

// Host is a machine of a private fleet.
type Host struct {
	ID        string     `json:"host_id"`
	Status    HostStatus `json:"status"`
	IPAddress string     `json:"ip_address"`
	Latitude  float64    `json:"latitude"`
	Longitude float64    `json:"longitude"`
	City      string     `json:"city"`
	Country   string     `json:"country"`
	Continent string     `json:"continent"`
	// AllocatedCPUUnits and AllocatedMemoryMB are taken by deployments.
	AllocatedCPUUnits Integer `json:"allocated_cpu_units"`
	AllocatedMemoryMB Integer `json:"allocated_memory_mb"`
	// AllocatableCPUUnits and AllocatableMemoryMB are "total available"; whether what is taken counts is not documented.
	AllocatableCPUUnits Integer        `json:"allocatable_cpu_units"`
	AllocatableMemoryMB Integer        `json:"allocatable_memory_mb"`
	Beacon              *HostBeacon    `json:"beacon"`
	CreatedAt           Time           `json:"created_at"`
	UpdatedAt           Time           `json:"updated_at"`
	Centroid            *Centroid      `json:"centroid"`
	DeleteSchedule      *HostDeletion  `json:"delete_schedule"`
	Specifications      Specifications `json:"fleet_host_specifications"`
}

// HostBeacon answers pings on a private host.
type HostBeacon struct {
	IPAddress string  `json:"ip_address"`
	TCPPort   Integer `json:"tcp_port"`
	UDPPort   Integer `json:"udp_port"`
}

// Centroid is the region a private host was made for.
type Centroid struct {
	Label            string  `json:"label"`
	Latitude         float64 `json:"latitude"`
	Longitude        float64 `json:"longitude"`
	RadiusKM         float64 `json:"radius_km"`
	DesiredHostCount Integer `json:"desired_host_count"`
}

// HostDeletion is when a private host goes.
type HostDeletion struct {
	UUID        string `json:"uuid"`
	ScheduledAt Time   `json:"scheduled_at"`
}

// Specifications are the size of a private host.
type Specifications struct {
	CPUUnits          Integer `json:"cpu_units"`
	MemoryMB          Integer `json:"memory_mb"`
	BaseClockSpeedMHz Integer `json:"base_clock_speed_mhz"`
}

func hostList(fleet string) (list, error) {
	const name = "list hosts"
	target, err := path(name, fixed("/v2/private-fleets"), named("fleet-name", fleet), fixed("/hosts"))
	return list{name: name, path: target, key: "data", class: classHosts}, err
}

// ListFleetHosts gives a page of the hosts of a private fleet (GET /v2/private-fleets/{fleet-name}/hosts).
func (c *Client) ListFleetHosts(ctx context.Context, fleet string, paging Paging) (Page[Host], error) {
	l, err := hostList(fleet)
	if err != nil {
		return Page[Host]{}, err
	}
	return pageOf[Host](ctx, c, l, paging)
}

// FleetHosts walks all pages of ListFleetHosts.
func (c *Client) FleetHosts(ctx context.Context, fleet string) iter.Seq2[Host, error] {
	l, err := hostList(fleet)
	if err != nil {
		return func(yield func(Host, error) bool) { yield(Host{}, err) }
	}
	return all(ctx, c, l, func(h Host) string { return h.ID })
}
