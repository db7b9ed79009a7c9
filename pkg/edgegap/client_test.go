package edgegap_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/edgegap"
	"github.com/skiff-project/skiff/pkg/edgegap/edgegaptest"
)

func TestTokenIsTakenWithAndWithoutItsWord(t *testing.T) {
	t.Parallel()
	for _, given := range []string{"abc-123", "token abc-123", " Token abc-123\n", "token token abc-123"} {
		var sent string
		transport := transportFunc(func(r *http.Request) (*http.Response, error) {
			sent = r.Header.Get("Authorization")
			return answers{status: 200, body: `{"public_ip":"1.2.3.4"}`}.RoundTrip(r)
		})
		client, err := edgegap.New(edgegap.Options{Token: given, HTTPClient: &http.Client{Transport: transport}})
		require.NoError(t, err)
		ip, err := client.PublicIP(t.Context())
		require.NoError(t, err)
		require.Equal(t, "1.2.3.4", ip)
		require.Equal(t, "token abc-123", sent)
	}
}

func TestNewRefusesBadOptions(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]edgegap.Options{
		"token":         {},
		"the word only": {Token: "token "},
		"two tokens":    {Token: "abc def"},
		"no URL":        {Token: "abc", BaseURL: "edgegap"},
		"user":          {Token: "abc", BaseURL: "https://me:secret@api.edgegap.com"},
		"query":         {Token: "abc", BaseURL: "https://api.edgegap.com?x=y"},
		"plain http":    {Token: "abc", BaseURL: "http://api.edgegap.com"},
		"ftp":           {Token: "abc", BaseURL: "ftp://api.edgegap.com"},
		"timeout":       {Token: "abc", Timeout: -1},
		"rates":         {Token: "abc", Rates: edgegap.Rates{List: -1}},
	} {
		_, err := edgegap.New(options)
		e := kind(t, edgegap.KindInvalid, err)
		require.NotEmpty(t, e.Field, name)
		require.NotContains(t, err.Error(), "secret")
	}
	for _, base := range []string{"", "https://api.edgegap.com/", "http://127.0.0.1:8080", "http://localhost"} {
		client, err := edgegap.New(edgegap.Options{Token: "abc", BaseURL: base})
		require.NoError(t, err)
		require.False(t, strings.HasSuffix(client.BaseURL(), "/"))
		client.Close()
	}
	_, err := edgegap.New(edgegap.Options{Token: "abc", BaseURL: "http://fake:8080", AllowHTTP: true})
	require.NoError(t, err)
}

// printed gives a value in all the ways it may be written somewhere.
func printed(t *testing.T, value any) string {
	t.Helper()
	var all bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		fmt.Fprintf(&all, verb+"\n", value)
	}
	slog.New(slog.NewTextHandler(&all, nil)).Info("value", "value", value)
	slog.New(slog.NewJSONHandler(&all, nil)).Info("value", "value", value)
	return all.String()
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	t.Parallel()
	const secret = "very-secret-0123"
	client, err := edgegap.New(edgegap.Options{Token: secret})
	require.NoError(t, err)
	password := edgegap.Secret(secret)
	spec := version("1")
	spec.Password, spec.Environment = password, []edgegap.Variable{{Key: "A", Value: secret}}
	deploy := request()
	deploy.Environment = []edgegap.Variable{{Key: "A", Value: secret, Hidden: true}}
	deploy.OnReady = &edgegap.Webhook{URL: "https://hooks.example/" + secret}
	for name, value := range map[string]any{
		"client": client, "client by value": struct{ C *edgegap.Client }{client}, "secret": password,
		"version": spec, "deploy": deploy, "variable": deploy.Environment[0], "webhook": *deploy.OnReady,
		"v1":        edgegap.DeployV1Request{Environment: deploy.Environment},
		"self-stop": edgegap.SelfStopRequest{Token: password}, "change": edgegap.VersionChange{Password: &password},
		"fleet": edgegap.FleetDeployRequest{DeployRequest: deploy},
	} {
		text := printed(t, value)
		require.NotContains(t, text, secret, name)
		require.NotContains(t, text, fmt.Sprintf("%x", secret), name)
	}
	sent, err := json.Marshal(spec)
	require.NoError(t, err)
	require.Contains(t, string(sent), secret, "Edgegap gets it")
}

func TestAnswersThatRepeatTheTokenDoNotShowIt(t *testing.T) {
	t.Parallel()
	body := `{"message":"bad header token ` + edgegaptest.DefaultToken + `","details":{"x":"` + edgegaptest.DefaultToken + `"}}`
	client, _ := with(t, answers{status: 401, body: body}, edgegap.Options{})
	_, err := client.Status(t.Context(), "c0653765de3b")
	e := kind(t, edgegap.KindUnauthorized, err)
	require.NotContains(t, string(e.Details), edgegaptest.DefaultToken)

	broken := transportFunc(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("proxy says token " + edgegaptest.DefaultToken)
	})
	client, _ = with(t, broken, edgegap.Options{})
	_, err = client.Deploy(t.Context(), request())
	kind(t, edgegap.KindUnavailable, err)

	client, _ = with(t, answers{status: 409, body: `{"message":"no pull with pa55word!"}`}, edgegap.Options{})
	spec := version("1")
	spec.Password = "pa55word!"
	_, err = client.CreateVersion(t.Context(), "arena", spec)
	require.NotContains(t, err.Error(), "pa55word!")
	_, err = client.UpdateVersion(t.Context(), "arena", "1", edgegap.VersionChange{Password: &spec.Password})
	require.NotContains(t, err.Error(), "pa55word!")
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	asked := 0
	transport := transportFunc(func(r *http.Request) (*http.Response, error) {
		asked++
		return answers{status: 302, header: http.Header{"Location": {"https://elsewhere.example/"}}}.RoundTrip(r)
	})
	client, _ := with(t, transport, edgegap.Options{})
	_, err := client.Status(t.Context(), "c0653765de3b")
	require.Contains(t, kind(t, edgegap.KindInvalid, err).Message, "redirect")
	require.Equal(t, 1, asked)
}

func TestLongAnswersAreNotRead(t *testing.T) {
	t.Parallel()
	client, _ := with(t, answers{status: 200, body: `{"logs":"` + strings.Repeat("x", 2000) + `"}`}, edgegap.Options{MaxAnswer: 1000})
	_, err := client.Logs(t.Context(), "c0653765de3b")
	require.Contains(t, kind(t, edgegap.KindInvalid, err).Message, "longer")
	client, _ = with(t, answers{status: 500, body: strings.Repeat("x", 100_000)}, edgegap.Options{MaxAnswer: 1000, Attempts: 1})
	_, err = client.Logs(t.Context(), "c0653765de3b")
	require.LessOrEqual(t, len(kind(t, edgegap.KindUnavailable, err).Message), 500)
}

func TestErrorsSayKindMessageAndField(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status  int
		body    string
		kind    edgegap.Kind
		message string
		field   string
	}{
		"400":             {400, `{"message":"bad"}`, edgegap.KindInvalid, "bad", ""},
		"required":        {400, `{"message":"'users' is a required property"}`, edgegap.KindInvalid, "'users' is a required property", "users"},
		"trailing field":  {400, `{"message":"is too short - 'users'"}`, edgegap.KindInvalid, "is too short - 'users'", "users"},
		"details":         {400, `{"message":"bad","details":{"version":"unknown"}}`, edgegap.KindInvalid, "bad", "version"},
		"details' field":  {400, `{"message":"bad","details":{"field":"tags","at":3}}`, edgegap.KindInvalid, "bad", "tags"},
		"many details":    {400, `{"message":"bad","details":{"a":1,"b":2}}`, edgegap.KindInvalid, "bad", ""},
		"empty object":    {400, `{}`, edgegap.KindInvalid, "Bad Request", ""},
		"message a list":  {400, `{"message":["a","b"]}`, edgegap.KindInvalid, `["a","b"]`, ""},
		"401":             {401, ``, edgegap.KindUnauthorized, "Unauthorized", ""},
		"403":             {403, `{"message":"no"}`, edgegap.KindUnauthorized, "no", ""},
		"404":             {404, `{"message":"no"}`, edgegap.KindNotFound, "no", ""},
		"409":             {409, `{"message":"taken"}`, edgegap.KindConflict, "taken", ""},
		"410":             {410, `{"message":"ended"}`, edgegap.KindGone, "ended", ""},
		"422":             {422, `{"message":"steps"}`, edgegap.KindInvalid, "steps", ""},
		"424":             {424, `{"message":"image"}`, edgegap.KindImage, "image", ""},
		"429":             {429, ``, edgegap.KindRateLimited, "Too Many Requests", ""},
		"500 of v1":       {500, `{}`, edgegap.KindUnavailable, "Internal Server Error", ""},
		"html":            {502, "<html>\n<h1>Bad\tGateway</h1>", edgegap.KindUnavailable, "<html> <h1>Bad Gateway</h1>", ""},
		"control letters": {503, "a\x00b\x1b[31m\xff", edgegap.KindUnavailable, "a b [31m?", ""},
		"strange status":  {599, ``, edgegap.KindUnavailable, "no message", ""},
	} {
		client, _ := with(t, answers{status: c.status, body: c.body}, edgegap.Options{Attempts: 1})
		_, err := client.Application(t.Context(), "arena")
		e := kind(t, c.kind, err)
		require.Equal(t, c.message, e.Message, name)
		require.Equal(t, c.field, e.Field, name)
		require.Equal(t, c.status, e.Status, name)
		require.False(t, edgegap.MayHaveHappened(err), "a read changes nothing")
		require.Contains(t, err.Error(), "read application")
	}
	require.Empty(t, edgegap.KindOf(errors.New("other")))
	require.False(t, edgegap.MayHaveHappened(nil))
}

func TestStatusOfAnUnknownID(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 404, 410} {
		b := setup(t, edgegaptest.Options{UnknownStatus: status, UnknownStop: status}, edgegap.Options{})
		_, err := b.client.Status(t.Context(), "c0653765de3b")
		require.Equal(t, status, kind(t, edgegap.KindNotFound, err).Status)
		got, err := b.client.Stop(t.Context(), "c0653765de3b", edgegap.StopOptions{})
		if status == 410 {
			require.NoError(t, err)
			require.Equal(t, edgegap.StopEnded, got.Stopping)
		} else {
			kind(t, edgegap.KindNotFound, err)
		}
	}
	b := setup(t, edgegaptest.Options{}, edgegap.Options{})
	_, err := b.client.Status(t.Context(), "not-an-id")
	kind(t, edgegap.KindInvalid, err)
}

func TestNamesThatAreNoPathAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{}, edgegap.Options{})
	before := b.calls("")
	for _, name := range []string{"", ".", "..", "a\nb", strings.Repeat("x", 300)} {
		_, err := b.client.Status(t.Context(), name)
		require.Equal(t, "request_id", kind(t, edgegap.KindInvalid, err).Field)
		_, err = b.client.Version(t.Context(), "arena", name)
		require.Equal(t, "app_version", kind(t, edgegap.KindInvalid, err).Field)
		require.Error(t, b.client.DeleteTag(t.Context(), "c0653765de3b", name))
		require.Error(t, b.client.DeleteApplication(t.Context(), name))
		for _, err := range b.client.FleetHosts(t.Context(), name) {
			require.Equal(t, "fleet-name", kind(t, edgegap.KindInvalid, err).Field)
		}
	}
	require.Equal(t, before, b.calls(""))
	_, err := b.client.Application(t.Context(), "../status?x=y#z/%2e")
	kind(t, edgegap.KindNotFound, err)
	require.Equal(t, "/v1/app/../status?x=y#z/%2e", b.fake.Journal("")[before].Path, "one segment, escaped")
}

func TestRequestsAreCheckedBeforeTheyAreSent(t *testing.T) {
	t.Parallel()
	b := setup(t, edgegaptest.Options{}, edgegap.Options{})
	before := b.calls("")
	deploys := map[string]struct {
		change func(*edgegap.DeployRequest)
		field  string
	}{
		"application":   {func(r *edgegap.DeployRequest) { r.Application = "" }, "application"},
		"version":       {func(r *edgegap.DeployRequest) { r.Version = "" }, "version"},
		"users":         {func(r *edgegap.DeployRequest) { r.Users = nil }, "users"},
		"empty user":    {func(r *edgegap.DeployRequest) { r.Users = []edgegap.User{{}} }, "users"},
		"IP":            {func(r *edgegap.DeployRequest) { r.Users = []edgegap.User{edgegap.UserAt("1.2.3")} }, "users"},
		"latitude":      {func(r *edgegap.DeployRequest) { r.Users = []edgegap.User{edgegap.UserNear(91, 0)} }, "users"},
		"CPU":           {func(r *edgegap.DeployRequest) { r.Resources = &edgegap.Resources{CPUUnits: 1, MemoryMiB: 200} }, "resources"},
		"memory":        {func(r *edgegap.DeployRequest) { r.Resources = &edgegap.Resources{CPUUnits: 100, MemoryMiB: 201} }, "resources"},
		"little memory": {func(r *edgegap.DeployRequest) { r.Resources = &edgegap.Resources{CPUUnits: 100} }, "resources"},
		"webhook":       {func(r *edgegap.DeployRequest) { r.OnError = &edgegap.Webhook{URL: "x"} }, "webhook_on_error"},
		"key":           {func(r *edgegap.DeployRequest) { r.Environment = []edgegap.Variable{{Key: "a b"}} }, "environment_variables"},
		"reserved":      {func(r *edgegap.DeployRequest) { r.Environment = []edgegap.Variable{{Key: "ARBITRIUM_X"}} }, "environment_variables"},
		"twice":         {func(r *edgegap.DeployRequest) { r.Environment = []edgegap.Variable{{Key: "A"}, {Key: "A"}} }, "environment_variables"},
		"long value": {func(r *edgegap.DeployRequest) {
			r.Environment = []edgegap.Variable{{Key: "A", Value: strings.Repeat("x", 4097)}}
		}, "environment_variables"},
		"long tag":       {func(r *edgegap.DeployRequest) { r.Tags = []string{strings.Repeat("x", 21)} }, "tags"},
		"tag with comma": {func(r *edgegap.DeployRequest) { r.Tags = []string{"a,b"} }, "tags"},
	}
	for name, c := range deploys {
		r := request()
		c.change(&r)
		_, err := b.client.Deploy(t.Context(), r)
		require.Equal(t, c.field, kind(t, edgegap.KindInvalid, err).Field, name)
		require.Error(t, r.Check())
	}
	for _, hosts := range [][]string{nil, {""}, {"a", "a"}} {
		r := edgegap.FleetDeployRequest{DeployRequest: request(), HostIDs: hosts}
		_, err := b.client.DeployToFleet(t.Context(), r)
		require.Equal(t, "private_host_ids", kind(t, edgegap.KindInvalid, err).Field)
		require.Error(t, r.Check())
	}
	old := map[string]edgegap.DeployV1Request{
		"app_name":    {IPs: []string{"1.2.3.4"}},
		"ip_list":     {Application: "arena"},
		"geo_ip_list": {Application: "arena", GeoIPs: []edgegap.GeoIP{{IP: "me"}}},
		"location":    {Application: "arena", IPs: []string{"1.2.3.4"}, Location: &edgegap.Coordinates{Latitude: 99}},
		"filters":     {Application: "arena", IPs: []string{"1.2.3.4"}, Filters: []edgegap.LocationFilter{{Field: "city", Type: "in"}}},
		"webhook_url": {Application: "arena", IPs: []string{"1.2.3.4"}, WebhookURL: "x"},
		"env_vars":    {Application: "arena", IPs: []string{"1.2.3.4"}, Environment: []edgegap.Variable{{}}},
		"tags":        {Application: "arena", IPs: []string{"1.2.3.4"}, Tags: []string{""}},
	}
	for field, r := range old {
		_, err := b.client.DeployV1(t.Context(), r)
		require.Equal(t, field, kind(t, edgegap.KindInvalid, err).Field)
	}
	minutes := 1441
	versions := map[string]func(*edgegap.VersionSpec){
		"name":              func(s *edgegap.VersionSpec) { s.Name = "" },
		"docker_repository": func(s *edgegap.VersionSpec) { s.Registry = "" },
		"docker_image":      func(s *edgegap.VersionSpec) { s.Image = "" },
		"docker_tag":        func(s *edgegap.VersionSpec) { s.Tag = "" },
		"req_memory":        func(s *edgegap.VersionSpec) { s.MemoryMB = 5000 },
		"req_video":         func(s *edgegap.VersionSpec) { s.GPUUnits = -1 },
		"time_to_deploy":    func(s *edgegap.VersionSpec) { s.TimeToDeploySeconds = 10 },
		"max_duration":      func(s *edgegap.VersionSpec) { s.MaxDurationMinutes = &minutes },
		"ports":             func(s *edgegap.VersionSpec) { s.Ports[0].Protocol = "udp" },
		"envs":              func(s *edgegap.VersionSpec) { s.Environment = []edgegap.Variable{{Key: ""}} },

		"termination_grace_period_seconds": func(s *edgegap.VersionSpec) { s.GraceSeconds = 4 },
	}
	for field, change := range versions {
		s := version("2")
		change(&s)
		_, err := b.client.CreateVersion(t.Context(), "arena", s)
		require.Equal(t, field, kind(t, edgegap.KindInvalid, err).Field)
		require.Error(t, s.Check())
	}
	for _, ports := range [][]edgegap.VersionPort{
		{{Port: 60000, Protocol: "UDP"}}, {{Port: 0, Protocol: "UDP"}}, {{Port: 1, Protocol: "UDP", TLSUpgrade: true}},
	} {
		_, err := b.client.UpdateVersion(t.Context(), "arena", "1.0", edgegap.VersionChange{Ports: &ports})
		require.Equal(t, "ports", kind(t, edgegap.KindInvalid, err).Field)
	}
	_, err := b.client.CreateApplication(t.Context(), edgegap.ApplicationSpec{Name: "ab"})
	require.Equal(t, "name", kind(t, edgegap.KindInvalid, err).Field)
	short := "ab"
	_, err = b.client.UpdateApplication(t.Context(), "arena", edgegap.ApplicationChange{Name: &short})
	kind(t, edgegap.KindInvalid, err)
	_, err = b.client.CreateTag(t.Context(), "c0653765de3b", "a/b")
	require.Equal(t, "name", kind(t, edgegap.KindInvalid, err).Field)
	for _, filters := range [][]edgegap.StopFilter{
		nil,
		{{Field: "tags", Type: edgegap.MatchAny, Values: []string{"a"}}},
		{{Field: edgegap.StopByTag, Type: edgegap.MatchAny}},
		{{Field: edgegap.StopByTag, Type: edgegap.MatchNot, Values: []string{"a"}}},
		{{Field: edgegap.StopByTag, Type: "in", Values: []string{"a"}}},
	} {
		_, err := b.client.BulkStop(t.Context(), filters...)
		require.Equal(t, "filters", kind(t, edgegap.KindInvalid, err).Field)
	}
	for _, query := range []edgegap.DeploymentQuery{
		{Filters: []edgegap.Filter{edgegap.Tagged("a"), edgegap.Tagged("b")}},
		{Filters: []edgegap.Filter{{Field: edgegap.ByTag, Operator: edgegap.In, Value: "a"}}},
		{Filters: []edgegap.Filter{{Field: edgegap.ByTag, Operator: edgegap.Equal, Value: []string{"a"}}}},
		{Filters: []edgegap.Filter{{Value: "a"}}},
		{OrderBy: []edgegap.Order{{Field: "created_at", Direction: "up"}}},
	} {
		_, err := b.client.ListDeployments(t.Context(), query, edgegap.Paging{})
		require.Equal(t, "query", kind(t, edgegap.KindInvalid, err).Field)
		for _, err := range b.client.Deployments(t.Context(), query) {
			kind(t, edgegap.KindInvalid, err)
		}
	}
	_, err = b.client.ListApplications(t.Context(), edgegap.Paging{Limit: 101})
	kind(t, edgegap.KindInvalid, err)
	require.Equal(t, before, b.calls(""), "nothing of this was sent")
}
