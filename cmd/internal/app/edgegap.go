package app

import (
	"maps"
	"slices"
	"strings"

	client "github.com/skiff-project/skiff/pkg/edgegap"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/config"
)

// EdgegapAccount tells how an account of a server's configuration reaches Edgegap, for whoever speaks to it without the
// server. file is a configuration file, empty for the usual one; an empty name is the only account there is.
func EdgegapAccount(environ []string) func(file, name string) (client.Options, error) {
	return func(file, name string) (client.Options, error) { return edgegapAccount(file, name, environ) }
}

func edgegapAccount(file, name string, environ []string) (client.Options, error) {
	c, _, err := config.Load(config.Options{File: file, Environ: environ})
	if err != nil {
		return client.Options{}, &skipper.Error{Code: skipper.CodeInvalid, Message: err.Error()}
	}
	accounts := c.Platform.Edgegap.Accounts
	names := slices.Sorted(maps.Keys(accounts))
	if name == "" && len(names) == 1 {
		name = names[0]
	}
	account, found := accounts[name]
	switch {
	case len(names) == 0:
		return client.Options{}, skipper.Errorf(skipper.CodeInvalid, "the configuration has no account of Edgegap; add one under "+
			"platform.edgegap.accounts, or set EDGEGAP_TOKEN")
	case name == "":
		return client.Options{}, skipper.Errorf(skipper.CodeInvalid, "the configuration has the accounts %s of Edgegap; name one "+
			"with --account", strings.Join(names, ", "))
	case !found:
		return client.Options{}, skipper.Errorf(skipper.CodeNotFound, "the configuration has no account %s of Edgegap; it has %s",
			name, strings.Join(names, ", "))
	}
	s := edgegapSettings(account, environ)
	if s.Token == "" {
		return client.Options{}, skipper.Errorf(skipper.CodeInvalid, "account %s of Edgegap has no token; set %s, which its "+
			"connection.token-env names", name, account.Connection.TokenEnv)
	}
	return client.Options{
		Token: string(s.Token), BaseURL: s.BaseURL, AllowHTTP: s.AllowHTTP, Timeout: s.Timeout,
		Attempts: account.Connection.MaxRetries + 1, Rates: s.Rates,
	}, nil
}
