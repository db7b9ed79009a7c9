package app_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/cmd/internal/app"
	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestEdgegapAccount(t *testing.T) {
	t.Parallel()
	const one = `platform.edgegap.accounts:
  live: {connection: {base-url: 'https://edge.example', token-env: GAME_TOKEN, timeout: 7s, max-retries: 0, rate: {list: 3}}}
`
	const two = one + "  test: {connection: {token: sesame-sesame}}\n"
	for name, test := range map[string]struct {
		config, account, environ string

		code  skipper.Code
		wrong string
		token string
	}{
		"the only one":     {config: one, environ: "GAME_TOKEN=open-sesame", token: "open-sesame"},
		"by name":          {config: two, account: "test", token: "sesame-sesame"},
		"which of them":    {config: two, code: skipper.CodeInvalid, wrong: "accounts live, test of Edgegap; name one with --account"},
		"an unknown name":  {config: two, account: "nope", code: skipper.CodeNotFound, wrong: "no account nope of Edgegap; it has live, test"},
		"none":             {config: "server.port: 7577", code: skipper.CodeInvalid, wrong: "no account of Edgegap; add one under"},
		"no token":         {config: one, environ: "OTHER=x", code: skipper.CodeInvalid, wrong: "has no token; set GAME_TOKEN"},
		"no configuration": {config: "server: [", code: skipper.CodeInvalid, wrong: "skiff.yml"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "skiff.yml")
			require.NoError(t, os.WriteFile(file, []byte(test.config), 0o600))
			got, err := app.EdgegapAccount([]string{test.environ})(file, test.account)
			if test.wrong != "" {
				require.ErrorContains(t, err, test.wrong)
				require.Equal(t, test.code, skipper.CodeOf(err))
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.token, got.Token)
			if test.config == one {
				require.Equal(t, "https://edge.example", got.BaseURL)
				require.Equal(t, 7*time.Second, got.Timeout)
				require.Equal(t, 1, got.Attempts)
				require.InDelta(t, 3, got.Rates.List, 0)
			}
		})
	}
}
