package client

import (
	"context"
	"net/http"
	"sync"
)

// introduced sends requests with the headers that say who asks. Nothing of it goes to another host than the server's: a
// redirect leads elsewhere without it.
type introduced struct {
	next                *http.Transport
	agent, scheme, host string
	authorization       func(context.Context) (string, error)

	mu    sync.Mutex
	value string // of the header, once it was given
}

// RoundTrip sends a request, and once more with fresh credentials when those that were kept are not taken any more.
func (t *introduced) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx := request.Context()
	request = request.Clone(ctx)
	if t.agent != "" {
		request.Header.Set("User-Agent", t.agent)
	}
	if t.authorization == nil || request.URL.Scheme != t.scheme || request.URL.Host != t.host {
		return t.next.RoundTrip(request)
	}
	value, kept, err := t.credentials(ctx, "")
	if err != nil {
		return nil, closed(request, err)
	}
	request.Header.Set("Authorization", value)
	response, err := t.next.RoundTrip(request)
	again := err == nil && response.StatusCode == http.StatusUnauthorized && kept && (request.Body == nil || request.GetBody != nil)
	if !again {
		return response, err
	}
	if value, _, err = t.credentials(ctx, value); err != nil {
		return response, nil //nolint:nilerr // the server's refusal says more
	}
	_ = response.Body.Close() // there is another one
	if request.GetBody != nil {
		if request.Body, err = request.GetBody(); err != nil {
			return nil, err
		}
	}
	request.Header.Set("Authorization", value)
	return t.next.RoundTrip(request)
}

// credentials gives the value that is kept, unless it is the refused one; kept says that it was not asked for now.
func (t *introduced) credentials(ctx context.Context, refused string) (value string, kept bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.value != "" && t.value != refused {
		return t.value, true, nil
	}
	t.value, err = t.authorization(ctx)
	return t.value, false, err
}

// CloseIdleConnections is what http.Client looks for.
func (t *introduced) CloseIdleConnections() { t.next.CloseIdleConnections() }

func closed(request *http.Request, err error) error {
	if request.Body != nil {
		_ = request.Body.Close() // a transport has to, and nothing was sent
	}
	return err
}
