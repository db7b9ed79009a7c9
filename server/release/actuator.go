package release

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// ActuatorStore is what the actuator pass-through needs kept.
type ActuatorStore interface {
	LatestRelease(ctx context.Context, name string, among ...skipper.StatusCode) (skipper.Release, error)
}

// Instances knows where the instances of a release answer over HTTP.
type Instances interface {
	// Instance gives the URL of an instance, with a path when the actuator has one of its own, and headers to send.
	Instance(ctx context.Context, rel skipper.Release, deploymentID, guid string) (*url.URL, http.Header, error)
}

// ActuatorConfig bounds what an application may take.
type ActuatorConfig struct {
	Timeout time.Duration // for the whole exchange; 0: 30 s
	Limit   int64         // bytes of an answer; 0: 16 MiB
}

// Actuator passes requests on to the actuators of applications.
type Actuator struct {
	store     ActuatorStore
	instances Instances
	config    ActuatorConfig
	client    *http.Client
}

const redirects = 5

// NewActuator makes one. It keeps no connections: applications come and go.
func NewActuator(store ActuatorStore, instances Instances, config ActuatorConfig) *Actuator {
	if config.Timeout == 0 {
		config.Timeout = 30 * time.Second
	}
	if config.Limit == 0 {
		config.Limit = 16 << 20
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: stayThere,
	}
	return &Actuator{store: store, instances: instances, config: config, client: client}
}

// stayThere follows redirects below the first part of the path only, the actuator's: elsewhere its credentials have no
// business.
func stayThere(next *http.Request, via []*http.Request) error {
	first, _, _ := strings.Cut(strings.TrimPrefix(via[0].URL.Path, "/"), "/")
	if len(via) > redirects || !strings.HasPrefix(path.Clean(next.URL.Path)+"/", "/"+first+"/") || next.URL.Host != via[0].URL.Host || next.URL.Scheme != via[0].URL.Scheme {
		return http.ErrUseLastResponse
	}
	return nil
}

// Actuator asks an endpoint of one instance of the deployed version of a release, also where the application was
// carried over from an older version, and gives the body of its answer. Its refusals become errors with its words;
// CodeUnavailable when it does not answer as it should, CodeTimeout when not in time.
func (a *Actuator) Actuator(ctx context.Context, name, deploymentID, guid string, request skipper.ActuatorRequest,
) ([]byte, error) {
	where, query, err := endpoint(request.Endpoint)
	if err != nil {
		return nil, err
	}
	rel, err := a.store.LatestRelease(ctx, name, skipper.StatusDeployed)
	if err != nil {
		return nil, fmt.Errorf("look for release %q: %w", name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, a.config.Timeout)
	defer cancel()
	base, headers, err := a.instances.Instance(ctx, rel, deploymentID, guid)
	if err != nil {
		return nil, fmt.Errorf("look for instance %q: %w", guid, err)
	}
	r, err := requestTo(ctx, below(base, where, query), headers, request)
	if err != nil {
		return nil, err
	}
	return a.exchange(r)
}

// endpoint parts an endpoint into path and query, both not encoded, and refuses what could lead out of the actuator.
// A path is compared as servers of Java read it: they cut off what follows a semicolon, and take \ for /.
func endpoint(text string) (where, query string, err error) {
	where, query, _ = strings.Cut(text, "?")
	where = strings.TrimPrefix(where, "/")
	segments := strings.FieldsFunc(where, func(c rune) bool { return c == '/' || c == '\\' })
	up := slices.ContainsFunc(segments, func(segment string) bool {
		name, _, _ := strings.Cut(segment, ";")
		return name == "." || name == ".."
	})
	switch {
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) || strings.Contains(text, "#"):
		err = skipper.Errorf(skipper.CodeInvalid,
			"the endpoint must be a path, perhaps with a query, and have no control characters and no fragment")
	case up || strings.Contains(where, `\`) || strings.Contains(where, "//") || strings.HasPrefix(where, "/"):
		err = skipper.Errorf(skipper.CodeInvalid,
			"the endpoint must be a path below the actuator, as /health or /loggers/ROOT, found %q", text)
	}
	return where, query, err
}

// below makes the URL of an endpoint. Path and query are encoded whole, so that nothing in them can end them.
func below(base *url.URL, where, query string) *url.URL {
	u := &url.URL{Scheme: base.Scheme, Host: base.Host, Path: strings.TrimSuffix(base.Path, "/")}
	if u.Path == "" {
		u.Path = "/actuator"
	}
	if where != "" {
		u.Path += "/" + where
	}
	u.RawQuery = (&url.URL{Path: "/" + query}).EscapedPath()[1:]
	return u
}

func requestTo(ctx context.Context, to *url.URL, headers http.Header, request skipper.ActuatorRequest,
) (*http.Request, error) {
	var body io.Reader
	if request.Body != nil {
		body = bytes.NewReader(request.Body)
	}
	r, err := http.NewRequestWithContext(ctx, request.Method, to.String(), body)
	if err != nil {
		return nil, skipper.Errorf(skipper.CodeInvalid, "the endpoint %q cannot be asked for", request.Endpoint)
	}
	r.Header = headers.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set("Accept", "application/json, */*;q=0.1")
	r.Header.Set("Content-Type", "application/json")
	if request.Authorization != "" {
		r.Header.Set("Authorization", request.Authorization)
	}
	return r, nil
}

// exchange gives the body of a good answer. No error holds what was sent.
func (a *Actuator) exchange(r *http.Request) ([]byte, error) {
	at := r.URL.Scheme + "://" + r.URL.Host + r.URL.EscapedPath()
	response, err := a.client.Do(r)
	if err != nil {
		return nil, a.silent(r.Context(), at, err)
	}
	defer response.Body.Close() //nolint:errcheck // nothing is left to be done with it
	body, err := io.ReadAll(io.LimitReader(response.Body, a.config.Limit+1))
	switch {
	case err != nil:
		return nil, a.silent(r.Context(), at, err)
	case response.StatusCode >= http.StatusMultipleChoices:
		return nil, refusal(at, response, hidden(body, r.Header.Get("Authorization")))
	case int64(len(body)) > a.config.Limit:
		return nil, skipper.Errorf(skipper.CodeUnavailable,
			"the answer of the application at %s is larger than %d bytes", at, a.config.Limit)
	}
	return body, nil
}

// silent is the error for an application that does not answer.
func (a *Actuator) silent(ctx context.Context, at string, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return skipper.Errorf(skipper.CodeTimeout, "the application at %s did not answer in %s", at, a.config.Timeout)
	}
	if ctx.Err() != nil {
		return skipper.Errorf(skipper.CodeCancelled, "the request ended before the application at %s answered", at)
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return skipper.Errorf(skipper.CodeUnavailable, "the application at %s does not answer: %w", at, err)
}

// refusal turns an answer that is no success into an error of the same sense, with the application's own words.
func refusal(at string, response *http.Response, body []byte) error {
	status := response.StatusCode
	code := skipper.CodeInvalid
	switch {
	case status < http.StatusBadRequest:
		return skipper.Errorf(skipper.CodeUnavailable,
			"the application at %s redirects to elsewhere (%d), where it is not followed", at, status)
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		// Not 401: it is not this server that wants to know who is asking.
		code = skipper.CodeForbidden
	case status == http.StatusNotFound:
		code = skipper.CodeNotFound
	case status == http.StatusConflict:
		code = skipper.CodeConflict
	case status >= http.StatusInternalServerError || status == http.StatusTooManyRequests:
		code = skipper.CodeUnavailable
	}
	return skipper.Errorf(code, "the application at %s answers %d %s%s", at, status, http.StatusText(status), words(body))
}

// hidden blanks out what was sent to prove who is asking, should the application repeat it.
func hidden(body []byte, authorization string) []byte {
	_, secret, ok := strings.Cut(authorization, " ")
	if !ok {
		secret = authorization
	}
	secrets := []string{secret}
	if plain, err := base64.StdEncoding.DecodeString(secret); err == nil {
		_, password, _ := strings.Cut(string(plain), ":")
		secrets = append(secrets, string(plain), password)
	}
	for _, s := range secrets {
		if s != "" {
			body = bytes.ReplaceAll(body, []byte(s), []byte("***"))
		}
	}
	return body
}

// words shows the beginning of a body in one line.
func words(body []byte) string {
	const most = 500
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(body[:min(len(body), most)]), "")), " ")
	text = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return -1
		}
		return c
	}, text)
	if text == "" {
		return ""
	}
	return ": " + text
}
