package app_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/cmd/internal/app"
	"github.com/skiff-project/skiff/pkg/edgegap/edgegaptest"
)

func withEdgegap(t *testing.T, environ string) (app.Options, *syncBuffer) {
	t.Helper()
	fake, err := edgegaptest.Start(edgegaptest.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, fake.Close()) })
	dir := t.TempDir()
	file := filepath.Join(dir, "skiff.yml")
	require.NoError(t, os.WriteFile(file, []byte(`platform.edgegap.accounts.live:
  connection: {base-url: '`+fake.URL+`', token-env: GAME_TOKEN}
  deployment: {ports: "game:7777/UDP"}`), 0o600))
	o, log := options(dir), &syncBuffer{}
	o.Config, o.Err, o.Environ = file, log, []string{environ}
	return o, log
}

func TestRun_OffersEdgegapAccounts(t *testing.T) {
	t.Parallel()
	o, log := withEdgegap(t, "GAME_TOKEN="+edgegaptest.DefaultToken)
	s := run(t, o)

	response, err := http.Get(s.url + "/api/deployers")
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	for _, want := range []string{`"type" : "edgegap"`, `"spring.cloud.deployer.edgegap.users.ip-addresses"`} {
		require.True(t, strings.Contains(string(body), want), want) //nolint:testifylint // the body is too long to be shown
	}
	s.end()
	require.NotContains(t, log.String(), "cannot be used")
	require.NotContains(t, log.String()+string(body), edgegaptest.DefaultToken)
}

func TestRun_StartsWithATokenThatIsRefused(t *testing.T) {
	t.Parallel()
	o, log := withEdgegap(t, "GAME_TOKEN=11111111-wrong")
	s := run(t, o)

	require.Eventually(t, func() bool { return strings.Contains(log.String(), "cannot be used now") }, 20*time.Second,
		5*time.Millisecond)
	require.Contains(t, log.String(), "account=live")
	require.Contains(t, log.String(), "check the token of the account")
	require.NotContains(t, log.String(), "11111111-wrong")
	s.end()
}

func TestRun_RefusesAnAccountWithoutAToken(t *testing.T) {
	t.Parallel()
	o, _ := withEdgegap(t, "OTHER=x")

	err := app.Run(t.Context(), o)

	require.ErrorContains(t, err, "platform.edgegap.accounts.live: connection.token is empty")
}
