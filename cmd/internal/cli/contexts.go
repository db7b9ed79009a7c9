package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/pkg/yamlx"
)

// The variables of the environment. The server's configuration knows that they are none of its own.
const (
	envURL        = "SKIFF_URL"
	envContext    = "SKIFF_CONTEXT"
	envContexts   = "SKIFF_CONTEXTS" // the file of contexts
	envUsername   = "SKIFF_USERNAME"
	envPassword   = "SKIFF_PASSWORD"
	envToken      = "SKIFF_TOKEN"
	envCommand    = "SKIFF_CREDENTIALS_PROVIDER_COMMAND"
	envCACert     = "SKIFF_CA_CERT"
	envClientCert = "SKIFF_CLIENT_CERT"
	envClientKey  = "SKIFF_CLIENT_KEY"
	envSkipSSL    = "SKIFF_SKIP_SSL_VALIDATION"
)

// namedTarget is a context: a server under a name.
type namedTarget struct {
	Name string `json:"name"`
	Target
}

// contexts are the servers in the file, and the one that is asked when none is named.
type contexts struct {
	Current  string        `json:"current,omitempty"`
	Contexts []namedTarget `json:"contexts"`
}

// contextFile gives the file of contexts; empty when there is no place for one.
func (c *cli) contextFile() string {
	if file := c.Env(envContexts); file != "" {
		return file
	}
	if folder := c.Env("XDG_CONFIG_HOME"); filepath.IsAbs(folder) {
		return filepath.Join(folder, "skiff", "contexts.yml")
	}
	if runtime.GOOS == "windows" {
		if folder := c.Env("AppData"); folder != "" {
			return filepath.Join(folder, "skiff", "contexts.yml")
		}
	}
	if home := c.Env("HOME"); home != "" {
		return filepath.Join(home, ".config", "skiff", "contexts.yml")
	}
	return ""
}

// readContexts reads the file; none gives no contexts.
func (c *cli) readContexts() (contexts, error) {
	all := contexts{Contexts: []namedTarget{}}
	file := c.contextFile()
	if file == "" {
		return all, nil
	}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	} else if err != nil {
		return all, unusable(file, err)
	}
	defer func() { _ = f.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return all, unusable(file, err)
	}
	m, err := yamlx.ParseMap(string(text))
	if err != nil {
		return all, usagef("%s cannot be read: %w; mend it, or remove it and add its contexts again", file, err)
	}
	plain, err := json.Marshal(yamlx.Simple(m))
	if err != nil {
		return all, err
	}
	decoder := json.NewDecoder(bytes.NewReader(plain))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&all); err != nil {
		return all, usagef("%s cannot be read: %s; 'skiff context --help' says what it holds", file,
			strings.TrimPrefix(strings.ReplaceAll(err.Error(), "Go value", "value"), "json: "))
	}
	if slices.ContainsFunc(all.Contexts, func(t namedTarget) bool {
		return t.Password != "" || t.Token != "" || withoutPassword(t.URL) != t.URL
	}) {
		return all, private(file)
	}
	return all, nil
}

// private refuses a file with a secret that others than its owner can read.
func private(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return unusable(file, err)
	}
	if runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	return skipper.Errorf(skipper.CodeForbidden, "%s holds a secret, and others can read it: run 'chmod 600 %[1]s' first, "+
		"and think of the secret as known", file)
}

// writeContexts writes the file, for its owner alone.
func (c *cli) writeContexts(all contexts) error {
	file := c.contextFile()
	if file == "" {
		return usagef("there is no folder for the contexts: set HOME, or %s to a file", envContexts)
	}
	text, err := yamlOf(all)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return unusable(file, err)
	}
	return c.writing(file, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
}

func (all contexts) find(name string) (Target, error) {
	for _, t := range all.Contexts {
		if t.Name == name {
			return t.Target, nil
		}
	}
	return Target{}, skipper.Errorf(skipper.CodeNotFound, "there is no context %q; 'skiff context list' shows those there are", name)
}

// with has a context in its place, or as the last one.
func (all contexts) with(t namedTarget) contexts {
	i := slices.IndexFunc(all.Contexts, func(other namedTarget) bool { return other.Name == t.Name })
	if i < 0 {
		all.Contexts = append(all.Contexts, t)
	} else {
		all.Contexts[i] = t
	}
	return all
}

// target says which server is asked, and as whom: as the flags say, else the environment, else the context. Credentials
// of a context go to no server but its own.
func (c *cli) target() (Target, error) {
	all, err := c.readContexts()
	named := orElse(c.context, orElse(c.Env(envContext), all.Current))
	given := orElse(c.flags.URL, c.Env(envURL))
	foreign := c.context == "" && c.Env(envContext) == "" && given != ""
	var t Target
	if err != nil && !foreign {
		return t, err
	}
	if named != "" && !foreign {
		if t, err = all.find(named); err != nil {
			return t, err
		}
	}
	if c.context == "" && given != "" && rootOf(given) != rootOf(orElse(t.URL, defaultURL)) {
		t = Target{}
	}
	env := c.environment()
	if c.context == "" || t.URL == "" {
		t.URL = orElse(env.URL, t.URL)
	}
	if !env.anonymous() && (c.context == "" || t.anonymous()) {
		t = t.as(env)
	}
	t.CACert = orElse(c.flags.CACert, orElse(env.CACert, t.CACert))
	t.ClientCert = orElse(c.flags.ClientCert, orElse(env.ClientCert, t.ClientCert))
	t.ClientKey = orElse(c.flags.ClientKey, orElse(env.ClientKey, t.ClientKey))
	t.SkipSSLValidation = c.flags.SkipSSLValidation || env.SkipSSLValidation || t.SkipSSLValidation
	t.URL = orElse(c.flags.URL, orElse(t.URL, defaultURL))
	if c.flags.Command != "" {
		t = t.as(Target{Command: c.flags.Command})
	}
	if c.flags.Username != "" {
		t = t.as(Target{Username: c.flags.Username, Password: c.Env(envPassword)})
	}
	return t, nil
}

// rootOf writes the URLs of a server in one way.
func rootOf(url string) string {
	return strings.TrimSuffix(strings.TrimSuffix(strings.TrimRight(url, "/"), "/api"), "/")
}

// environment is what the variables say.
func (c *cli) environment() Target {
	skip := strings.ToLower(c.Env(envSkipSSL))
	return Target{
		URL: c.Env(envURL), Username: c.Env(envUsername), Password: c.Env(envPassword), Token: c.Env(envToken),
		Command: c.Env(envCommand), CACert: c.Env(envCACert), ClientCert: c.Env(envClientCert),
		ClientKey: c.Env(envClientKey), SkipSSLValidation: skip != "" && skip != "false" && skip != "0",
	}
}
