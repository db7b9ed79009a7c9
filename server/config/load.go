package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"

	"github.com/skiff-project/skiff/pkg/yamlx"
)

// FileName is the configuration file that is read when no other is named and it is there.
const FileName = "skiff.yml"

// Options say where a configuration is loaded from.
type Options struct {
	File    string            // configuration file, which must exist; empty: FileName in Dir, if it is there
	Dir     string            // empty: the working directory
	Environ []string          // as os.Environ gives it
	Flags   map[string]string // by key, as server.port; only those that were given
}

// Load gives the configuration in force and warnings for whoever starts the server. An error joins all that is wrong;
// it names keys and never holds a secret.
func Load(o Options) (Config, []string, error) {
	name, text, err := readFile(o)
	if err != nil {
		return Config{}, nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return load(name, text, host, o.Environ, o.Flags)
}

func readFile(o Options) (string, []byte, error) {
	if o.File != "" {
		text, err := os.ReadFile(o.File)
		if err != nil {
			return "", nil, fmt.Errorf("--config names a file that cannot be read: %w", err)
		}
		return o.File, text, nil
	}
	text, err := os.ReadFile(filepath.Join(o.Dir, FileName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", nil, fmt.Errorf("read the configuration file: %w", err)
	}
	return FileName, text, nil
}

// parseYAML is the one place that knows how configuration files are parsed: one tree for each document.
func parseYAML(text []byte) ([]map[string]any, error) {
	documents, err := yamlx.Parse(string(text))
	if err != nil {
		return nil, err
	}
	var trees []map[string]any
	for _, document := range documents {
		switch document := document.(type) {
		case nil:
		case *yamlx.Map:
			tree, _ := yamlx.Simple(document).(map[string]any) // a map by nature
			trees = append(trees, tree)
		default:
			return nil, fmt.Errorf("keys with values are expected, found %s", yamlx.Describe(document))
		}
	}
	return trees, nil
}

func load(file string, text []byte, host string, environ []string, flags map[string]string) (Config, []string, error) {
	trees, err := parseYAML(text)
	if err != nil {
		return Config{}, nil, fmt.Errorf("%s: %w", file, err)
	}
	l := &loader{
		settings: settings(), values: map[string]any{}, sources: map[string]string{}, host: host, environ: variables(environ),
		names: map[string][]string{},
	}
	trees = l.active(trees, file)
	json := l.applicationJSON()
	l.trees = append(slices.Clone(trees), json)
	for _, tree := range trees {
		l.readTree(newLayer(), tree, file)
	}
	l.readEnviron(true)
	l.readTree(layerOfSpring(), json, jsonVariable)
	l.readEnviron(false)
	l.readFlags(flags)
	c, err := l.merge()
	if err = errors.Join(errors.Join(l.problems...), err); err != nil {
		return Config{}, nil, err
	}
	return c, l.warnings(), nil
}

// loader gathers values from one source after another; later ones win.
type loader struct {
	settings []setting
	host     string
	environ  map[string]string
	trees    []map[string]any // what placeholders may name beside variables; later ones win

	values   map[string]any      // by path
	sources  map[string]string   // by path: how people call the place a value came from
	names    map[string][]string // by path of a map: its entries known so far
	ignored  []string            // keys of Spring that do nothing here, and what else does not
	problems []error
}

// layer is one source while it is read.
type layer struct {
	places map[string]string      // where each path was set, to find a key that is given twice
	items  map[string]map[int]any // of lists that are given item by item, by path
	shared bool                   // with other programs: a key that nobody knows is no mistake
}

func newLayer() layer { return layer{places: map[string]string{}, items: map[string]map[int]any{}} }

func layerOfSpring() layer {
	seen := newLayer()
	seen.shared = true
	return seen
}

const (
	accountsPath     = "platform/local/accounts"
	dockerPath       = "platform/docker/accounts"
	edgegapPath      = "platform/edgegap/accounts"
	repositoriesPath = "repositories"
)

// set takes over one value. at is how people call the place it stands.
func (l *loader) set(seen layer, s setting, path []string, raw any, at string) {
	key, id := display(path), strings.Join(path, delimiter)
	if other, twice := seen.places[id]; twice {
		l.problem("%s is given twice, as %s and as %s; remove one of them", key, other, at)
		return
	}
	seen.places[id] = at
	raw, err := l.resolve(raw)
	if err != nil {
		l.problem("%s (%s) %w", key, at, err)
		return
	}
	if s.path[len(s.path)-1] == remainder {
		if raw, err = asText(raw); err != nil {
			l.problem("%s (%s) %w", key, at, err)
			return
		}
	}
	value, err := convert(raw, s.kind, s.millis)
	if err != nil {
		l.problem("%s (%s) %w", key, at, err)
		return
	}
	if l.declare(s.path, path) {
		l.values[id], l.sources[id] = value, at
	}
}

// setItem takes over one item of a list, as in env-vars-to-inherit[0].
func (l *loader) setItem(seen layer, s setting, path []string, index int, raw any, at string) {
	id := strings.Join(path, delimiter)
	items := seen.items[id]
	if items == nil {
		items = map[int]any{}
		seen.items[id] = items
	} else {
		delete(seen.places, id) // by the items before
	}
	items[index] = raw
	all := make([]any, 0, len(items))
	for _, i := range slices.Sorted(maps.Keys(items)) {
		all = append(all, items[i])
	}
	l.set(seen, s, path, all, at)
}

// declare notes the entries of maps that a path names; false when a name cannot be one.
func (l *loader) declare(pattern, path []string) bool {
	for i, segment := range pattern {
		if segment != wildcard {
			continue
		}
		if !validName(path[i]) {
			l.problem("%s: the name %q must be letters, digits, dots, dashes and underscores", display(path), path[i])
			return false
		}
		if parent := strings.Join(path[:i], delimiter); !slices.Contains(l.names[parent], path[i]) {
			l.names[parent] = append(l.names[parent], path[i])
		}
	}
	return true
}

func (l *loader) problem(format string, args ...any) {
	l.problems = append(l.problems, fmt.Errorf(format, args...))
}

func (l *loader) readFlags(flags map[string]string) {
	seen := newLayer()
	for _, key := range slices.Sorted(maps.Keys(flags)) {
		l.readKey(seen, splitKey(key), flags[key], "flag")
	}
}

// merge puts the gathered values over the defaults and checks the result.
func (l *loader) merge() (Config, error) {
	k := koanf.New(delimiter)
	for _, values := range append(l.defaults(), l.values) {
		if err := k.Load(confmap.Provider(values, delimiter), nil); err != nil {
			return Config{}, fmt.Errorf("merge the configuration: %w", err)
		}
	}
	var in input
	if err := k.Unmarshal("", &in); err != nil {
		return Config{}, fmt.Errorf("merge the configuration: %w", err)
	}
	err := l.complete(&in)
	return in.Config, errors.Join(err, validate(in.Config))
}

// defaults gives a layer for the whole, and one for each account and for the repository local where they are named.
func (l *loader) defaults() []map[string]any {
	all := []map[string]any{leaves(reflect.ValueOf(Default()), nil)}
	if len(l.names[accountsPath]) == 0 {
		l.names[accountsPath] = []string{"default"}
	}
	for _, name := range l.names[accountsPath] {
		all = append(all, leaves(reflect.ValueOf(defaultLocalAccount()), []string{accountsPath, name}))
	}
	for _, name := range l.names[dockerPath] {
		all = append(all, leaves(reflect.ValueOf(DockerAccount{}), []string{dockerPath, name}))
	}
	for _, name := range l.names[edgegapPath] {
		all = append(all, leaves(reflect.ValueOf(defaultEdgegapAccount()), []string{edgegapPath, name}))
	}
	if slices.Contains(l.names[repositoriesPath], "local") {
		all = append(all, leaves(reflect.ValueOf(defaultLocalRepository()), []string{repositoriesPath, "local"}))
	}
	return all
}

// complete fills in what depends on other values.
func (l *loader) complete(in *input) error {
	c := &in.Config
	c.Log.Level = strings.ToLower(c.Log.Level)
	if c.Host.ID == "" {
		c.Host.ID = l.host
	}
	for name, account := range c.Platform.Local.Accounts {
		if account.WorkingDirectoriesRoot == "" {
			account.WorkingDirectoriesRoot = filepath.Join(c.Data.Dir, "apps", name)
		}
		if account.ShutdownTimeout == 0 || account.ShutdownTimeout == -time.Second {
			account.ShutdownTimeout = defaultShutdownTimeout
		}
		c.Platform.Local.Accounts[name] = account
	}
	l.completeRepositories(c)
	err := l.takeDatasource(c, in.Spring.Datasource)
	c.Sources = map[string]string{}
	for path, source := range l.sources {
		c.Sources[display(strings.Split(path, delimiter))] = source
	}
	return err
}

func (l *loader) completeRepositories(c *Config) {
	if c.Repositories == nil {
		c.Repositories = map[string]Repository{}
	}
	anyLocal := false
	for _, r := range c.Repositories {
		anyLocal = anyLocal || r.Local
	}
	if _, taken := c.Repositories["local"]; !anyLocal && !taken {
		c.Repositories["local"] = defaultLocalRepository()
	}
	for name, r := range c.Repositories {
		if r.Local && r.URL == "" {
			r.URL = fmt.Sprintf("http://%s:%d", l.host, c.Server.Port)
			c.Repositories[name] = r
		}
	}
}

// warnings says in one line what does nothing here.
func (l *loader) warnings() []string {
	if len(l.ignored) == 0 {
		return nil
	}
	return []string{"these settings do nothing here: " + strings.Join(l.ignored, ", ")}
}
