package handler_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

const instance = "/api/release/actuator/duo/duo.pong-v4/duo.pong-v4-0"

func TestActuatorGet_GivesTextAsTheApplicationSaysIt(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]string{
		"":                 "text/plain;charset=UTF-8",
		"application/json": "application/json",
		"text/plain, application/json, application/*+json, */*": "text/plain;charset=UTF-8", // Data Flow's
	} {
		t.Run(accept, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.actuator.answer = "{ \"a\":1 }\n"
			w := b.ask(http.MethodGet, instance+"?endpoint=/metrics/x%3Ftag%3Da:b", "",
				"Accept", accept, "Authorization", "Bearer token-1")
			require.Equal(t, http.StatusOK, w.Code)
			require.Equal(t, want, w.Header().Get("Content-Type"))
			require.Equal(t, "{ \"a\":1 }\n", w.Body.String())
			require.Equal(t, []string{"duo", "duo.pong-v4", "duo.pong-v4-0"}, b.actuator.asked)
			require.Empty(t, cmp.Diff(skipper.ActuatorRequest{
				Method: "GET", Endpoint: "/metrics/x?tag=a:b", Authorization: "Bearer token-1",
			}, b.actuator.request))
			require.NotContains(t, b.log.String(), "token-1")
		})
	}
}

func TestActuatorGet_NeedsAnEndpoint(t *testing.T) {
	t.Parallel()
	w := setup(t).ask(http.MethodGet, instance, "", "Accept", "application/json")
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Contains(t, w.Body.String(), `"exception":"org.springframework.web.bind.MissingServletRequestParameterException",`+
		`"message":"Required request parameter 'endpoint' for method parameter type String is not present"`)
}

func TestActuatorPost(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body, sent, answer, want string
	}{
		"JSON":    {`{"endpoint":"/loggers","body":{"a":12345678901234567890}}`, `{"a":12345678901234567890}`, "{ \"b\" : [1] }", `{"b":[1]}`},
		"nothing": {`{"endpoint":"/refresh","body":null}`, "", " ", ""},
		"text":    {`{"endpoint":"/x","more":1}`, "", "done", `"done"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.actuator.answer = tc.answer
			w := b.ask(http.MethodPost, instance, tc.body)
			require.Equal(t, http.StatusOK, w.Code, w.Body)
			require.Equal(t, tc.want, w.Body.String())
			require.Equal(t, tc.want == "", w.Header().Get("Content-Type") == "")
			require.Equal(t, http.MethodPost, b.actuator.request.Method)
			require.Equal(t, tc.sent, string(b.actuator.request.Body))
		})
	}
}

func TestActuatorPost_Refused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body   string
		status int
		want   string
	}{
		"no endpoint":   {`{"body":{}}`, 400, "endpoint is missing"},
		"odd endpoint":  {`{"endpoint":1}`, 400, "endpoint is missing"},
		"no object":     {`[]`, 400, "a JSON object with endpoint and body is due"},
		"no JSON":       {`{`, 400, "JSON parse error"},
		"a large body":  {`{"endpoint":"/x","body":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "larger than 1 MiB"},
		"its own error": {`{"endpoint":"/x"}`, 501, "cannot reach"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.actuator.err = skipper.Errorf(skipper.CodeUnsupported, "the platform cannot reach it")
			w := b.ask(http.MethodPost, instance, tc.body)
			require.Equal(t, tc.status, w.Code, w.Body)
			require.Contains(t, w.Body.String(), tc.want)
		})
	}
}
