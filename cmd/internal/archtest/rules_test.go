package archtest

// allowed lists, for every package, the packages of ours it may import. Paths are relative to the module.
// An entry that ends in /... means the whole tree. What is needed by tests only is not written here.
var allowed = map[string][]string{
	"pkg/skipper":  nil,
	"pkg/hal":      nil,
	"pkg/edgegap":  nil,
	"pkg/yamlx":    nil,
	"pkg/manifest": {"pkg/skipper", "pkg/yamlx"},
	"pkg/schema":   {"pkg/skipper", "pkg/yamlx"},
	"pkg/archive":  {"pkg/skipper", "pkg/yamlx"},
	"pkg/resource": {"pkg/skipper"},
	"pkg/client":   {"pkg/skipper", "pkg/hal"},
	"pkg/deployer": {"pkg/skipper", "pkg/manifest", "pkg/resource"},
	"pkg/deployer/local": {
		"pkg/deployer", "pkg/deployer/docker", "pkg/skipper", "pkg/manifest", "pkg/resource", "pkg/yamlx",
	},
	"pkg/deployer/docker":       {"pkg/deployer", "pkg/skipper", "pkg/manifest", "pkg/resource", "pkg/yamlx"},
	"pkg/deployer/kubernetes":   {"pkg/deployer", "pkg/skipper", "pkg/manifest", "pkg/resource", "pkg/yamlx"},
	"pkg/deployer/cloudfoundry": {"pkg/deployer", "pkg/skipper", "pkg/manifest", "pkg/resource", "pkg/yamlx"},
	"pkg/deployer/edgegap": {
		"pkg/deployer", "pkg/skipper", "pkg/manifest", "pkg/resource", "pkg/yamlx", "pkg/edgegap",
	},

	"templates":         {"pkg/skipper", "pkg/yamlx", "pkg/schema"},
	"templates/starter": nil,
	"repository":        {"pkg/skipper"},

	"server/machine": {"pkg/skipper"},
	"server/rollout": {"pkg/skipper", "pkg/deployer", "pkg/resource", "pkg/manifest", "server/machine"},
	"server/catalog": {"pkg/skipper", "pkg/manifest", "pkg/archive", "pkg/yamlx", "templates", "pkg/deployer"},
	"server/release": {"pkg/skipper", "pkg/manifest", "pkg/archive", "pkg/yamlx", "templates", "pkg/deployer"},
	"server/operation": {
		"pkg/skipper", "server/machine", "server/rollout", "pkg/deployer",
	},
	"server/orphan": {"pkg/skipper", "pkg/deployer"},
	"server/status": {"pkg/skipper", "server/machine", "server/rollout", "pkg/deployer"},
	"server/handler": {
		"pkg/skipper", "pkg/hal", "pkg/manifest", "pkg/archive", "pkg/deployer",
		"server/release", "server/catalog", "server/operation", "server/status", "server/auth",
	},
	"server/auth":    {"pkg/skipper", "pkg/yamlx"},
	"server/config":  {"pkg/skipper", "pkg/yamlx"},
	"server/observe": {"pkg/skipper", "pkg/yamlx"},
	"server":         {"pkg/skipper", "server/handler", "server/auth", "server/config", "server/observe"},

	"cmd/internal/cli": {
		"pkg/client", "pkg/skipper", "pkg/hal", "pkg/archive", "pkg/manifest", "pkg/yamlx", "pkg/edgegap", "templates",
		"templates/starter", "cmd/internal/lint",
	},
	"cmd/internal/lint": {
		"pkg/skipper", "pkg/archive", "pkg/manifest", "pkg/resource", "pkg/schema", "pkg/yamlx", "templates",
	},
	"cmd/internal/shell": {
		"pkg/skipper", "cmd/internal/cli",
	},
	"cmd/internal/app":      {"pkg/...", "templates", "repository", "server", "server/..."},
	"cmd/internal/archtest": nil,
	"cmd/internal/survival": nil,
	"cmd/skiff":             {"cmd/internal/..."},

	"testdata/apps/hello": nil,

	// Test support: as the package it supports, plus what a test needs.
	"pkg/deployer/deployertest":              {"pkg/deployer", "pkg/skipper", "pkg/manifest", "pkg/resource", "pkg/yamlx"},
	"pkg/deployer/docker/dockertest":         nil,
	"pkg/edgegap/edgegaptest":                {"pkg/edgegap"},
	"repository/repositorytest":              {"repository", "pkg/skipper"},
	"repository/postgrestest":                nil,
	"pkg/deployer/kubernetes/kubernetestest": nil,
}

// testSupport may be imported by tests and by each other. Its own third-party libraries are those of testLibraries.
var testSupport = []string{
	"pkg/deployer/deployertest", "pkg/edgegap/edgegaptest", "repository/repositorytest", "repository/postgrestest",
	"pkg/deployer/docker/dockertest",
	"pkg/deployer/kubernetes/kubernetestest",
}

// exceptions are the two places of the binary that use test support: importer → imported, with the build tag needed.
var exceptions = map[[2]string]string{
	{"cmd/internal/cli", "pkg/edgegap/edgegaptest"}:   "",
	{"cmd/internal/app", "pkg/deployer/deployertest"}: "faults",
}

// owners lists, for every third-party module, the packages that may import it outside tests.
var owners = map[string][]string{
	"gopkg.in/yaml.v3":                      {"pkg/yamlx"},
	"github.com/cbroglie/mustache":          {"templates"},
	"github.com/santhosh-tekuri/jsonschema": {"pkg/schema"},
	"github.com/distribution/reference":     {"pkg/resource", "pkg/deployer/docker"},
	"github.com/Masterminds/semver/v3":      {"server/catalog", "server/release", "cmd/internal/lint"},
	"github.com/looplab/fsm":                {"server/machine"},
	"github.com/cenkalti/backoff/v5":        {"server/operation", "server/status", "pkg/deployer/..."},
	"github.com/labstack/echo/v4":           {"server", "server/handler"},
	"github.com/knadh/koanf":                {"server/config"},
	"github.com/yosida95/uritemplate":       {"pkg/client"},
	"github.com/spf13/cobra":                {"cmd/internal/cli", "cmd/internal/shell"},
	"github.com/spf13/pflag":                {"cmd/internal/cli", "cmd/internal/shell"},
	"github.com/jedib0t/go-pretty/v6":       {"cmd/internal/cli", "cmd/internal/shell"},
	"github.com/peterh/liner":               {"cmd/internal/shell"},
	"gorm.io":                               {"repository", "repository/repositorytest"},
	"modernc.org/sqlite":                    {"repository"},
	"github.com/pressly/goose/v3":           {"repository"},
	"github.com/jackc/pgx/v5":               {"repository", "repository/postgrestest"},
	"github.com/google/uuid": {
		"server",
		"repository", "server/release", "server/operation", "pkg/deployer/local", "cmd/internal/app",
	},
	"k8s.io/api":                    {"pkg/deployer/kubernetes", "pkg/deployer/kubernetes/kubernetestest"},
	"k8s.io/apimachinery":           {"pkg/deployer/kubernetes", "pkg/deployer/kubernetes/kubernetestest"},
	"k8s.io/client-go":              {"pkg/deployer/kubernetes", "pkg/deployer/kubernetes/kubernetestest"},
	"github.com/moby/moby":          {"pkg/deployer/docker", "pkg/deployer/docker/dockertest"},
	"github.com/containerd/errdefs": {"pkg/deployer/docker"},
	"golang.org/x/time":             {"pkg/edgegap"},
	"golang.org/x/sync":             {"server/...", "pkg/deployer/...", "cmd/internal/app"},
	"golang.org/x/term":             {"cmd/skiff", "cmd/internal/shell"},
	"golang.org/x/sys":              {"repository", "pkg/deployer/local", "cmd/internal/shell"},
}

// testLibraries are for tests and test support only.
var testLibraries = []string{
	"github.com/stretchr/testify", "github.com/google/go-cmp", "github.com/rogpeppe/go-internal", "go.uber.org/goleak",
	"pgregory.net/rapid", "github.com/creack/pty",
}

// bannedNames say nothing about what a package is for.
var bannedNames = []string{"util", "utils", "common", "helper", "helpers", "misc", "base", "types", "models", "shared"}
