package edgegaptest

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// webhook is an address that is told when a state begins.
type webhook struct {
	State string `json:"state"`
	URL   string `json:"url"`
	Done  bool   `json:"done"`
}

// Delivery is a webhook that was sent, or lost on purpose.
type Delivery struct {
	At        time.Time `json:"at"`
	RequestID string    `json:"requestId"`
	State     string    `json:"state"`
	URL       string    `json:"url"`
	// Status is what was answered; 0 for nothing.
	Status int `json:"status"`
}

// Deliver sends the webhooks that are due, one after another, and gives how many were. There is no second try.
func (f *Fake) Deliver(ctx context.Context) int {
	type letter struct {
		Delivery
		d    *deployment
		body []byte
	}
	var due []letter
	f.mu.Lock()
	now := f.now()
	for _, o := range f.state.Organizations {
		for _, d := range o.Deployments {
			for i := range d.Webhooks {
				hook := &d.Webhooks[i]
				at := d.since(hook.State)
				if hook.Done || at.IsZero() || at.Add(f.options.Webhooks.Delay).After(now) {
					continue
				}
				hook.Done = true
				if body, err := json.Marshal(d.statusBody(now)); err == nil {
					due = append(due, letter{Delivery{now, d.ID, hook.State, hook.URL, 0}, d, body})
				}
			}
		}
	}
	if len(due) > 0 {
		// What cannot be written is sent again after a restart, as a real one may do.
		_ = f.save()
	}
	f.mu.Unlock()
	for _, l := range due {
		if !f.options.Webhooks.Drop {
			l.Status = f.send(ctx, l.URL, l.body)
			if f.options.Webhooks.Duplicate {
				f.send(ctx, l.URL, l.body)
			}
		}
		f.mu.Lock()
		if l.Status == 0 {
			for i := range l.d.Webhooks { // who does not answer is not told again
				l.d.Webhooks[i].Done = true
			}
		}
		f.sent = append(f.sent, l.Delivery)
		f.mu.Unlock()
	}
	return len(due)
}

func (f *Fake) send(ctx context.Context, address string, body []byte) int {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := f.options.Webhooks.Client.Do(request)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// Deliveries gives the webhooks that were sent, oldest first.
func (f *Fake) Deliveries() []Delivery {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]Delivery{}, f.sent...)
}
