package edgegaptest

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Host is a machine of a private fleet.
type Host struct {
	ID string `json:"id"`
	// Pending hosts take no deployments.
	Pending bool `json:"pending"`
	// Status is ACTIVE or PENDING; it follows from Pending.
	Status  string `json:"status"`
	IP      string `json:"ip"`
	City    string `json:"city"`
	Country string `json:"country"`
	// Continent is where it stands.
	Continent string  `json:"continent"`
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
	// CPU is in units and Memory in MB: what deployments can have together.
	CPU     int       `json:"cpu"`
	Memory  int       `json:"memory"`
	Created time.Time `json:"created"`
}

type fleet struct {
	Name  string  `json:"name"`
	Hosts []*Host `json:"hosts"`
}

// AddFleet makes a private fleet for the first organization, as the dashboard does, in place of one of the same name.
func (f *Fake) AddFleet(name string, hosts ...Host) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	fl := &fleet{Name: name}
	for i, host := range hosts {
		host.ID = or(host.ID, fmt.Sprintf("%s-host-%d", name, i))
		host.IP = or(host.IP, fmt.Sprintf("203.0.113.%d", 100+i))
		host.City, host.Country = or(host.City, "Montreal"), or(host.Country, "Canada")
		host.Continent = or(host.Continent, "North America")
		host.CPU, host.Memory = or(host.CPU, 12928), or(host.Memory, 25178)
		host.Created = or(host.Created, f.now())
		host.Status = "ACTIVE"
		if host.Pending {
			host.Status = "PENDING"
		}
		fl.Hosts = append(fl.Hosts, &host)
	}
	o := f.state.Organizations[0]
	o.Fleets = append(slices.DeleteFunc(o.Fleets, func(other *fleet) bool { return other.Name == name }), fl)
	return f.save()
}

func (o *organization) host(id string) (*fleet, *Host) {
	for _, fl := range o.Fleets {
		for _, host := range fl.Hosts {
			if host.ID == id {
				return fl, host
			}
		}
	}
	return nil, nil
}

// allocated is what the deployments on a host have.
func (o *organization) allocated(host string, now time.Time) (cpu, memory int) {
	for _, d := range o.Deployments {
		if d.Host == host && !d.ended(now) {
			cpu, memory = cpu+d.CPU, memory+d.Memory
		}
	}
	return cpu, memory
}

func (f *Fake) listHosts(call *request) reply {
	for _, fl := range call.org.Fleets {
		if fl.Name != call.params["fleet"] {
			continue
		}
		var all []any
		for _, host := range fl.Hosts {
			cpu, memory := call.org.allocated(host.ID, call.now)
			created := host.Created.UTC().Format("2006-01-02T15:04:05.000000Z")
			all = append(all, map[string]any{
				"host_id": host.ID, "status": host.Status, "ip_address": host.IP, "latitude": host.Latitude,
				"longitude": host.Longitude, "city": host.City, "country": host.Country, "continent": host.Continent,
				"allocated_cpu_units": cpu, "allocated_memory_mb": memory,
				"allocatable_cpu_units": host.CPU, "allocatable_memory_mb": host.Memory,
				"beacon":     map[string]any{"tcp_port": 30002, "udp_port": 30001, "ip_address": host.IP},
				"created_at": created, "updated_at": created,
				"centroid": map[string]any{
					"label": host.City, "latitude": host.Latitude, "longitude": host.Longitude, "radius_km": 500,
					"desired_host_count": len(fl.Hosts),
				},
				"delete_schedule":           nil,
				"fleet_host_specifications": map[string]any{"cpu_units": 16384, "memory_mb": 32768, "base_clock_speed_mhz": 2000},
			})
		}
		return f.page(call, "data", all, nil)
	}
	return refuse(http.StatusBadRequest, "unknown private fleet %.64s", call.params["fleet"])
}
