package edgegap

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/edgegap"
)

const (
	bulkFrom  = 6 // so many stops are asked for in one call
	bulkChunk = 50
)

// Undeploy stops all that the handle knows and all that carries the tag of the deployment. ErrAmbiguous while an
// unanswered deploy may still show up: it is to be called again.
func (d *Deployer) Undeploy(ctx context.Context, _ deployer.Owner, h deployer.Handle) error {
	if err := ctx.Err(); err != nil {
		return deployer.Errorf(deployer.ErrUnavailable, "undeploy %s: %w", h.ID, err)
	}
	rec, err := load(h)
	if err != nil {
		rec = nil // what the tags find has to go all the same
	}
	began := d.Clock()
	listed, err := d.list(ctx, idTag(h.ID))
	if err != nil {
		return fault("look for the deployments of "+h.ID, err)
	}
	var ids, nonces []string
	for _, item := range listed {
		m, _ := d.markOf(item.Tags)
		ids, nonces = append(ids, item.RequestID), append(nonces, m.nonce)
	}
	var waiting error
	if rec != nil {
		ids = append(ids, rec.requests()...)
		d.mu.Lock()
		for _, a := range rec.attempts() {
			if until := d.settled(h.ID, a.attempt); a.open() && !slices.Contains(nonces, a.Nonce) && began.Before(until) {
				waiting = deployer.Errorf(deployer.ErrAmbiguous,
					"a deployment of %s was asked for without an answer; it is looked for until %s, to be stopped", h.ID,
					until.UTC().Format(time.RFC3339))
			}
		}
		d.mu.Unlock()
	}
	if err := d.stop(ctx, h.ID, ids); err != nil {
		return errors.Join(err, waiting)
	}
	// Only now: a removal that came to nothing may be taken back, and then the instances are looked after as before.
	d.mu.Lock()
	d.view.removed[h.ID] = began
	d.mu.Unlock()
	return waiting
}

// stop asks for the end of deployments, by their ids only. What was asked before is not asked again so soon, and what
// has ended not at all.
func (d *Deployer) stop(ctx context.Context, id string, requests []string) error {
	requests = d.stoppable(id, requests)
	if len(requests) >= bulkFrom {
		requests = d.bulkStop(ctx, id, requests)
	}
	errs := make([]error, len(requests))
	inParallel(len(requests), callsAtOnce, func(n int) {
		_, err := d.client.Stop(ctx, requests[n], edgegap.StopOptions{})
		if err != nil && !gone(err) {
			errs[n] = err
			return
		}
		d.leaves(id, requests[n])
	})
	for n, err := range errs {
		if err != nil {
			return fault("stop deployment "+requests[n], repeatable(err))
		}
	}
	return nil
}

func (d *Deployer) stoppable(id string, requests []string) []string {
	requests = slices.Clone(requests)
	slices.Sort(requests)
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.DeleteFunc(slices.Compact(requests), func(request string) bool {
		since, leaving := d.view.leaving[id][request]
		_, listed := d.view.listed[request]
		return request == "" || leaving && d.Clock().Sub(since) < stopAgain ||
			!listed && d.view.details[request].ended()
	})
}

// leaves notes that a stop was taken.
func (d *Deployer) leaves(id, request string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.view.leaving[id] == nil {
		d.view.leaving[id] = map[string]time.Time{}
	}
	d.view.leaving[id][request] = d.Clock()
	d.view.changes++
	d.view.changed = d.Clock()
}

// bulkStop stops many with few calls and gives those that it did not take: they are for single stops.
func (d *Deployer) bulkStop(ctx context.Context, id string, requests []string) []string {
	var (
		mu   sync.Mutex
		left []string
	)
	chunks := slices.Collect(slices.Chunk(requests, bulkChunk))
	inParallel(len(chunks), callsAtOnce, func(n int) {
		taken, err := d.client.BulkStop(ctx, edgegap.StopFilter{
			Field: edgegap.StopByRequestID, Type: edgegap.MatchAny, Values: chunks[n],
		})
		if err != nil {
			taken = nil
		}
		for _, request := range chunks[n] {
			if slices.Contains(taken, request) {
				d.leaves(id, request)
				continue
			}
			mu.Lock()
			left = append(left, request)
			mu.Unlock()
		}
	})
	return left
}
