package docker

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/moby/moby/api/pkg/authconfig"
	"github.com/moby/moby/api/types/registry"

	"github.com/skiff-project/skiff/pkg/deployer"
)

const (
	hubDomain     = "docker.io"
	hubKey        = "https://index.docker.io/v1/" // of Docker Hub in the configuration file
	helperTimeout = 30 * time.Second
	configLimit   = 1 << 20
)

// dockerConfig is the part of Docker's configuration file that is about logins.
type dockerConfig struct {
	Auths map[string]struct {
		Auth          string `json:"auth"` // base64 of user:password
		Username      string `json:"username"`
		Password      string `json:"password"`
		IdentityToken string `json:"identitytoken"`
	} `json:"auths"`
	CredHelpers map[string]string `json:"credHelpers"`
	CredsStore  string            `json:"credsStore"`
}

// credentials finds the login for a registry: of the account, else of Docker's configuration file, as docker login wrote
// it. It is encoded for the engine; empty where there is none. whose is where it was found, for people.
func (d *Deployer) credentials(ctx context.Context, domain string) (encoded, whose string, err error) {
	for _, l := range d.Engine.Logins {
		if l.Host == domain {
			encoded, err := authconfig.Encode(registry.AuthConfig{
				Username: l.Username, Password: l.Password, ServerAddress: domain,
			})
			return encoded, "the login of the account for " + domain, err
		}
	}
	file, config, err := d.dockerConfig()
	if err != nil {
		return "", "", err
	}
	found, err := config.login(ctx, domain, d.Environ)
	if err != nil {
		return "", "", deployer.Errorf(deployer.ErrDenied, "the login for %s in %s: %w", domain, file, err)
	}
	if found == nil {
		return "", "no login", nil
	}
	found.ServerAddress = domain
	encoded, err = authconfig.Encode(*found)
	return encoded, "the login for " + domain + " in " + file, err
}

// dockerConfig reads the configuration file of the server's user; an empty one where there is none.
func (d *Deployer) dockerConfig() (string, dockerConfig, error) {
	folder := variable(d.Environ, "DOCKER_CONFIG")
	if folder == "" {
		folder = filepath.Join(variable(d.Environ, "HOME"), ".docker")
	}
	file := filepath.Join(folder, "config.json")
	var config dockerConfig
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return file, config, nil
	}
	var text []byte
	if err == nil && info.Size() <= configLimit {
		text, err = os.ReadFile(file)
	}
	if err == nil {
		err = json.Unmarshal(text, &config)
	}
	if err != nil { // the cause may quote the file
		return file, config, deployer.Errorf(deployer.ErrDenied, "the logins in %s cannot be read: it must be a JSON file", file)
	}
	return file, config, nil
}

// login finds that of a registry: from the program that keeps it, else as it stands.
func (c dockerConfig) login(ctx context.Context, domain string, environ []string) (*registry.AuthConfig, error) {
	key := domain
	if domain == hubDomain {
		key = hubKey
	}
	helper := c.CredHelpers[domain]
	if helper == "" {
		helper = c.CredsStore
	}
	if helper != "" {
		if found, err := askHelper(ctx, helper, key, environ); found != nil || err != nil {
			return found, err
		}
	}
	for name, a := range c.Auths {
		if name != key && !sameHost(name, domain) {
			continue
		}
		found := &registry.AuthConfig{Username: a.Username, Password: a.Password, IdentityToken: a.IdentityToken}
		if a.Auth != "" {
			plain, err := base64.StdEncoding.DecodeString(a.Auth)
			user, password, ok := strings.Cut(strings.TrimRight(string(plain), "\x00"), ":")
			if err != nil || !ok {
				return nil, errors.New("auth is not base64 of user:password")
			}
			found.Username, found.Password = user, password
		}
		if found.Username != "" || found.IdentityToken != "" {
			return found, nil
		}
	}
	return nil, nil //nolint:nilnil // no login is a common answer: most images are public
}

// sameHost compares a key of the file, which may be an address, with a registry.
func sameHost(key, domain string) bool {
	_, rest, found := strings.Cut(key, "://")
	if !found {
		rest = key
	}
	host, _, _ := strings.Cut(rest, "/")
	return host == domain || domain == hubDomain && host == "index.docker.io"
}

var helperName = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// askHelper asks docker-credential-<name>; nil where it keeps none for the registry.
func askHelper(ctx context.Context, name, key string, environ []string) (*registry.AuthConfig, error) {
	if !helperName.MatchString(name) {
		return nil, errors.New("the name of the credential helper is not one")
	}
	ctx, cancel := context.WithTimeout(ctx, helperTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, inPath("docker-credential-"+name, environ), "get")
	command.Stdin, command.Env, command.WaitDelay = strings.NewReader(key), environ, time.Second
	var out bytes.Buffer
	command.Stdout = &out
	err := command.Run()
	if err != nil && strings.Contains(out.String(), "credentials not found") {
		return nil, nil //nolint:nilnil // see login
	}
	var answer struct{ Username, Secret string }
	if err != nil || json.Unmarshal(out.Bytes(), &answer) != nil { // what it said may hold the secret
		return nil, errors.New("docker-credential-" + name + " gives none")
	}
	if answer.Username == "<token>" {
		return &registry.AuthConfig{IdentityToken: answer.Secret}, nil
	}
	return &registry.AuthConfig{Username: answer.Username, Password: answer.Secret}, nil
}

// inPath finds a program in the server's path, which need not be that of this process.
func inPath(program string, environ []string) string {
	for _, folder := range filepath.SplitList(variable(environ, "PATH")) {
		if found, err := exec.LookPath(filepath.Join(folder, program)); err == nil && filepath.IsAbs(found) {
			return found
		}
	}
	return program
}
