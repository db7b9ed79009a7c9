package edgegap

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
)

// LocationQuery chooses locations. The zero value is all of them.
type LocationQuery struct {
	// Application and Version choose the locations with room for a version.
	Application string
	Version     string
	// Type is the location's, as "standard" (older answers only).
	Type string
	// WithTags asks for the locations' tags (older answers only).
	WithTags bool
}

func (q LocationQuery) list() list {
	query := url.Values{}
	for name, value := range map[string]string{"app": q.Application, "version": q.Version, "type": q.Type} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if q.WithTags {
		query.Set("tags", "true")
	}
	return list{name: "list locations", path: "/v1/locations", key: "locations", class: classOther, query: query}
}

// ListLocations gives a page of the locations (GET /v1/locations).
func (c *Client) ListLocations(ctx context.Context, query LocationQuery, paging Paging) (Page[Location], error) {
	return pageOf[Location](ctx, c, query.list(), paging)
}

// Locations walks all pages of ListLocations.
func (c *Client) Locations(ctx context.Context, query LocationQuery) iter.Seq2[Location, error] {
	return all(ctx, c, query.list(), func(l Location) string {
		return fmt.Sprint(l.City, "/", l.AdministrativeDivision, "/", l.Country, "/", l.Latitude, "/", l.Longitude)
	})
}

// Beacon answers pings, so that players can measure a location.
type Beacon struct {
	Host     string   `json:"host"`
	FQDN     string   `json:"fqdn"`
	UDPPort  Integer  `json:"udp_port"`
	TCPPort  Integer  `json:"tcp_port"`
	Location Location `json:"location"`
}

// Beacons gives all beacons (GET /v1/locations/beacons).
func (c *Client) Beacons(ctx context.Context) ([]Beacon, error) {
	var answer struct {
		Locations []Beacon `json:"locations"`
	}
	_, err := c.do(ctx, call{
		name: "list beacons", method: http.MethodGet, path: "/v1/locations/beacons", class: classOther, repeat: true,
	}, &answer)
	return answer.Locations, err
}

// PublicIP gives the address Edgegap sees this machine at (GET /v1/ip), which may serve as a user of a deploy.
func (c *Client) PublicIP(ctx context.Context) (string, error) {
	var answer struct {
		PublicIP string `json:"public_ip"`
	}
	_, err := c.do(ctx, call{name: "public IP", method: http.MethodGet, path: "/v1/ip", class: classOther, repeat: true}, &answer)
	return answer.PublicIP, err
}
