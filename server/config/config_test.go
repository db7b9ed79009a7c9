package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func TestLoad_GivesDefaultsWhenNothingIsSet(t *testing.T) {
	t.Parallel()
	c, warnings, err := load("skiff.yml", nil, "myhost", nil, nil)
	require.NoError(t, err)
	require.Empty(t, warnings)
	want := Default()
	want.Host.ID = "myhost"
	want.Platform.Local.Accounts = map[string]LocalAccount{"default": accountIn("skiff-data/apps/default")}
	want.Repositories = map[string]Repository{"local": {
		URL: "http://myhost:7577", Local: true, Description: "Default local database backed repository", RepoOrder: new(1),
	}}
	want.Sources = map[string]string{}
	require.Empty(t, cmp.Diff(want, c))
	require.Equal(t, "127.0.0.1", c.Server.Address)
	require.Equal(t, 7577, c.Server.Port)
}

func accountIn(dir string) LocalAccount {
	a := defaultLocalAccount()
	a.WorkingDirectoriesRoot = dir
	return a
}

func TestLoad_ReadsAConfigurationOfSkipper(t *testing.T) {
	t.Parallel()
	c, warnings, err := Load(Options{File: "testdata/skipper.yml"})
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Empty(t, cmp.Diff(map[string]Repository{
		"remote": {
			URL: "http://127.0.0.1:7600", Description: "A remote repository", RepoOrder: new(0),
			SourceURL: "https://example.com/remote",
		},
		"local": {
			URL: "http://127.0.0.1:7577", Local: true, RepoOrder: new(1),
			Description: "Default local database backed repository",
		},
	}, c.Repositories))
	require.Empty(t, cmp.Diff(
		map[string]LocalAccount{"default": accountIn("skiff-data/apps/default")}, c.Platform.Local.Accounts))
}

func TestLoad_RanksFlagOverVariableOverFileOverDefault(t *testing.T) {
	t.Parallel()
	file := "server: {port: 1, address: 10.0.0.1}\nhealthcheck.period: 1s\nlog.level: warn\ndata.dir: fromfile"
	environ := []string{
		"SERVER_PORT=2", "SKIFF_SERVER_PORT=3", "SERVER_ADDRESS=10.0.0.2", "SKIFF_HEALTHCHECK_PERIOD=2s", "SKIFF_LOG_LEVEL=",
	}
	c, _, err := load("my.yml", []byte(file), "h", environ, map[string]string{"server.port": "4"})
	require.NoError(t, err)
	require.Equal(t, Server{Address: "10.0.0.2", Port: 4}, c.Server)
	require.Equal(t, HealthCheck{Period: 2 * time.Second, Timeout: 5 * time.Minute}, c.HealthCheck)
	require.Equal(t, "warn", c.Log.Level, "an empty variable is as good as not set")
	require.Empty(t, cmp.Diff(map[string]string{
		"server.port": "flag", "server.address": "SERVER_ADDRESS", "healthcheck.period": "SKIFF_HEALTHCHECK_PERIOD",
		"log.level": "log.level in my.yml", "data.dir": "data.dir in my.yml",
	}, c.Sources))
	require.Equal(t, "fromfile/apps/default", c.Platform.Local.Accounts["default"].WorkingDirectoriesRoot)
}

func TestLoad_TakesTheFileOfTheWorkingDirectoryOrTheOneNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c, _, err := Load(Options{Dir: dir})
	require.NoError(t, err)
	require.Equal(t, 7577, c.Server.Port)

	require.NoError(t, os.WriteFile(filepath.Join(dir, FileName), []byte("server.port: 8080"), 0o600))
	c, _, err = Load(Options{Dir: dir})
	require.NoError(t, err)
	require.Equal(t, 8080, c.Server.Port)

	_, _, err = Load(Options{Dir: dir, File: filepath.Join(dir, "other.yml")})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "--config")
}

func TestLoad_TakesAnySpellingOfAKey(t *testing.T) {
	t.Parallel()
	const skipper = "spring.cloud.skipper.server."
	for name, file := range map[string]string{
		"nested":          "platform: {local: {accounts: {default: {port-range: {low: 30000}}}}}",
		"dotted":          "platform.local.accounts.default.port-range.low: 30000",
		"mixed, camel":    "platform.local: {accounts.default: {portRange.low: '30000'}}",
		"snake":           "platform.local.accounts.default.port_range.low: 30000",
		"upper":           "PLATFORM.LOCAL.ACCOUNTS.default.PORTRANGE.LOW: 30000",
		"in brackets":     "platform.local.accounts.[default].port-range.low: 30000",
		"placeholder":     "platform.local.accounts.default.port-range.low: ${LOW:3}0${ZEROES:000}",
		"Skipper nested":  "spring: {cloud: {skipper.server: {platform: {local.accounts.default: {portRange.low: 30000}}}}}",
		"Skipper, dotted": skipper + "platform.local.accounts.default.port-range.low: 30000",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _, err := load("skiff.yml", []byte(file), "h", nil, nil)
			require.NoError(t, err)
			require.Len(t, c.Platform.Local.Accounts, 1)
			require.Equal(t, PortRange{Low: 30000, High: 61000}, c.Platform.Local.Accounts["default"].PortRange)
		})
	}
}

func TestLoad_TakesVariablesForEntriesOfMaps(t *testing.T) {
	t.Parallel()
	file := "platform.local.accounts: {MyProd: , my-test: {}, '[a.b]': {hostname: x}}"
	c, _, err := load("skiff.yml", []byte(file), "h", []string{
		"SKIFF_PLATFORM_LOCAL_ACCOUNTS_MYPROD_SHUTDOWN_TIMEOUT=5",
		"SKIFF_PLATFORM_LOCAL_ACCOUNTS_MY_TEST_SHUTDOWN_TIMEOUT=6s",
		"SPRING_CLOUD_SKIPPER_SERVER_PLATFORM_LOCAL_ACCOUNTS_NEW_PORTRANGE_HIGH=40000",
		"SPRING_CLOUD_SKIPPER_SERVER_PLATFORM_LOCAL_ACCOUNTS[Odd_One]_ENVVARSTOINHERIT=A, B_.*",
		"SKIFF_PLATFORM_LOCAL_ACCOUNTS_NEW_JAVA_HOME_PATH_3=/opt/java",
		"SKIFF_REPOSITORIES_MAIN_SOURCE_URL=https://example.com/src", "SKIFF_REPOSITORIES_MAIN_URL=https://example.com",
	}, nil)
	require.NoError(t, err)
	myProd, myTest, fresh, odd := accountIn("skiff-data/apps/MyProd"), accountIn("skiff-data/apps/my-test"),
		accountIn("skiff-data/apps/new"), accountIn("skiff-data/apps/Odd_One")
	dotted := accountIn("skiff-data/apps/a.b")
	myProd.ShutdownTimeout, myTest.ShutdownTimeout = 5*time.Second, 6*time.Second
	fresh.PortRange.High, fresh.JavaHomePath = 40000, map[string]string{"3": "/opt/java"}
	odd.EnvVarsToInherit = []string{"A", "B_.*"}
	dotted.Hostname = "x"
	require.Empty(t, cmp.Diff(map[string]LocalAccount{
		"MyProd": myProd, "my-test": myTest, "new": fresh, "Odd_One": odd, "a.b": dotted,
	}, c.Platform.Local.Accounts))
	require.Equal(t, Repository{URL: "https://example.com", SourceURL: "https://example.com/src"}, c.Repositories["main"])
	require.True(t, c.Repositories["local"].Local, "uploads need a local repository")
	require.Contains(t, c.Sources, "platform.local.accounts.[a.b].hostname")
}

func TestLoad_AddsNoRepositoryWhenOneIsLocal(t *testing.T) {
	t.Parallel()
	c, _, err := load("skiff.yml", []byte("repositories.mine: {local: true}\nserver.port: 80"), "h", nil, nil)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(map[string]Repository{"mine": {Local: true, URL: "http://h:80"}}, c.Repositories))
}

func TestLoad_ReadsEverySortOfValue(t *testing.T) {
	t.Parallel()
	file := `
hypermedia.links-array: on
healthcheck: {period: 250ms, timeout: 90}
operation: {deploy-timeout: 1m30s, undo-timeout: 2m, queue-timeout: 1h, lease: 5}
log: {level: DEBUG, format: json}
platform.local.accounts.a:
  envVarsToInherit: [A, "B|C", 7]
  delete-files-on-exit: no
  debugSuspend: n
  shutdown-timeout: -1
  app-admin: {user: admin, password: 123}
  health-probe.path: /actuator/health`
	c, _, err := load("skiff.yml", []byte(file), "h", nil, nil)
	require.NoError(t, err)
	require.True(t, c.Hypermedia.LinksArray)
	require.Equal(t, HealthCheck{Period: 250 * time.Millisecond, Timeout: 90 * time.Second}, c.HealthCheck)
	require.Equal(t,
		Operation{DeployTimeout: 90 * time.Second, UndoTimeout: 2 * time.Minute, QueueTimeout: time.Hour, Lease: 5 * time.Second}, c.Operation)
	require.Equal(t, Log{Level: "debug", Format: "json"}, c.Log)
	want := accountIn("skiff-data/apps/a")
	want.EnvVarsToInherit = []string{"A", "B|C", "7"}
	want.DeleteFilesOnExit = false
	want.DebugSuspend = false
	want.AppAdmin = AppAdmin{User: "admin", Password: "123"}
	want.HealthProbe.Path = "/actuator/health"
	require.Empty(t, cmp.Diff(want, c.Platform.Local.Accounts["a"]))
}

func TestLoad_ReadsSkippersMillisecondsAsSuch(t *testing.T) {
	t.Parallel()
	file := "spring.cloud.skipper.server.strategies.healthcheck: {timeoutInMillis: 300, sleepInMillis: '50'}"
	c, _, err := load("skiff.yml", []byte(file), "h", nil, nil)
	require.NoError(t, err)
	require.Equal(t, HealthCheck{Period: 50 * time.Millisecond, Timeout: 300 * time.Millisecond}, c.HealthCheck)
}

func TestLoad_ResolvesPlaceholders(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"${PLAIN}":                        "plain",
		"a${PLAIN}b${PLAIN:x}c":           "aplainbplainc",
		"${MISSING:fall back}":            "fall back",
		"${MISSING:}":                     "",
		"${MISSING:http://h:1}":           "http://h:1",
		"${MISSING:${ALSO_MISSING:in}}!":  "in!",
		"${my.dotted-key}":                "dotted",
		"${spring.cloud.client.hostname}": "myhost",
		"${not closed":                    "${not closed",
		"$5 {x}":                          "$5 {x}",
	} {
		t.Run(value, func(t *testing.T) {
			t.Parallel()
			file := fmt.Sprintf("platform.local.accounts.default.java-opts: %q", value)
			c, _, err := load("skiff.yml", []byte(file), "myhost", []string{"PLAIN=plain", "MY_DOTTEDKEY=dotted"}, nil)
			require.NoError(t, err)
			require.Equal(t, want, c.Platform.Local.Accounts["default"].JavaOpts)
		})
	}
}

func TestLoad_MakesSpringsDataSourceTheDatabase(t *testing.T) {
	t.Parallel()
	const pg = "jdbc:postgresql:"
	for file, want := range map[string]string{
		"{url: '" + pg + "//db:5432/s', username: me, password: 'p@ss'}": "postgres://me:p%40ss@db:5432/s",
		"{url: '" + pg + "//db/s?user=u&password=q&sslmode=require'}":    "postgres://u:q@db/s?sslmode=require",
		"{url: '" + pg + "s', driver-class-name: org.postgresql.Driver}": "postgres://localhost/s",
		"{url: '" + pg + "//db/s?currentSchema=x&ssl=true'}":             "postgres://db/s?search_path=x&sslmode=verify-full",
		"{url: '" + pg + "//db/s?connectTimeout=3&ssl=false'}":           "postgres://db/s?connect_timeout=3",
		"{url: '" + pg + "//db/s?ApplicationName=a'}":                    "postgres://db/s?application_name=a",
		"{url: '" + pg + "//db:5433/'}":                                  "postgres://db:5433/",
		"{url: '" + pg + "//[::1]:5433/s%20t'}":                          "postgres://[::1]:5433/s%20t",
		"{url: '" + pg + "//a:1,b/s?targetServerType=primary', username: me, password: 'p:/@'}": "postgres://me:p%3A%2F%40@/s" +
			"?host=a%2Cb&port=1%2C5432&target_session_attrs=read-write",
		"{url: '" + pg + "//db/s?sslmode=verify-ca&ssl=true&sslrootcert=/ca.crt&sslcert=/c.crt&sslkey=/c.pem'}": "postgres://db/s?" +
			"sslcert=%2Fc.crt&sslkey=%2Fc.pem&sslmode=verify-ca&sslrootcert=%2Fca.crt",
		"{url: '" + pg + "//db/s?ssl&sslfactory=org.postgresql.ssl.NonValidatingFactory'}": "postgres://db/s?sslmode=require",
		"{url: 'jdbc:h2:mem:x'}\ndatabase.url: postgres://own/s":                           "postgres://own/s",
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			c, warnings, err := load("skiff.yml", []byte("spring.datasource: "+file), "h", nil, nil)
			require.NoError(t, err)
			require.Empty(t, warnings)
			require.Equal(t, want, string(c.Database.URL))
			require.Contains(t, c.Sources, "database.url")
			_, err = pgx.ParseConfig(regexp.MustCompile("ssl(root)?(cert|key)=[^&]*&?").ReplaceAllString(want, ""))
			require.NoError(t, err)
		})
	}
}

func TestLoad_NamesWhatDoesNothingInWarnings(t *testing.T) {
	t.Parallel()
	file := `
spring: {flyway.enabled: false, main: {banner-mode: off}}
spring.datasource.url: jdbc:postgresql://h/d?reWriteBatchedInserts=true
management.endpoints.web.exposure.include: '*'
logging: {level: {root: warn}}
maven.use-wagon: true`
	_, warnings, err := load("skiff.yml", []byte(file), "h", []string{
		"SPRING_CLOUD_CONFIG_ENABLED=false", "MAVEN_HOME=/opt/maven", "SERVER_SOFTWARE=x", "LOGGING_LEVEL_ROOT=debug",
		"SPRING_CLOUD_SKIPPER_SERVER_PLATFORM_LOCAL_ACCOUNTS_DEFAULT_MAXIMUMCONCURRENTTASKS=5",
	}, nil)
	require.NoError(t, err)
	require.Equal(t, []string{
		"these settings do nothing here: logging.level.root, management.endpoints.web.exposure.include, " +
			"maven.use-wagon, spring.flyway.enabled, spring.main.banner-mode, LOGGING_LEVEL_ROOT, " +
			"SPRING_CLOUD_CONFIG_ENABLED, SPRING_CLOUD_SKIPPER_SERVER_PLATFORM_LOCAL_ACCOUNTS_DEFAULT_MAXIMUMCONCURRENTTASKS, " +
			"parameter reWriteBatchedInserts of spring.datasource.url",
	}, warnings)
}

func TestLoad_RefusesWithASentenceForEachProblem(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, file string
		environ    []string
		want       []string
	}{
		{
			name: "unknown keys",
			file: "server: {prot: 1}\ndatabse.url: x\nplatform.local.accounts.a.shutdownTimout: 5",
			want: []string{
				"server.prot is no key of skiff (server.prot in skiff.yml); did you mean server.port?",
				"did you mean database.url?", "did you mean platform.local.accounts.a.shutdown-timeout?",
			},
		},
		{name: "group given a value", file: "server: 8080", want: []string{"server is no key of skiff"}},
		{name: "key given keys", file: "server.port: {a: 1}", want: []string{"server.port.a is no key of skiff"}},
		{name: "key given a list", file: "server.port: [1]", want: []string{"must be a single value"}},
		{
			name:    "unknown variable",
			environ: []string{"SKIFF_SERVER_PROT=1", "SKIFF_URL=u", "SKIFF_TEST_REQUIRE=x", "SKIFF_TEST_ANYTHING=z", "SKIFF_OWNER=y"},
			want:    []string{"SKIFF_SERVER_PROT is no variable of skiff; did you mean SKIFF_SERVER_PORT?"},
		},
		{
			name:    "unknown name in a variable",
			environ: []string{"SKIFF_REPOSITORIES_A_B_URL=x"},
			want:    []string{"SKIFF_REPOSITORIES_A_B_URL is no variable"},
		},
		{
			name: "given twice",
			file: "spring.cloud.skipper.server.platform.local.accounts.a: {javaOpts: x, java-opts: y}",
			want: []string{"platform.local.accounts.a.java-opts is given twice, as"},
		},
		{name: "name", file: "repositories: {'a/b': {url: x}}", want: []string{`the name "a/b" must be letters`}},
		{
			name: "name of an empty entry",
			file: "platform.local.accounts: {'a b': }",
			want: []string{`the name "a b" must be letters`},
		},
		{name: "not YAML", file: "a: [", want: []string{"skiff.yml: "}},
		{name: "not keys", file: "just text", want: []string{"skiff.yml: "}},
		{
			name: "missing placeholder",
			file: "data.dir: ${NOT_THERE}",
			want: []string{"data.dir (data.dir in skiff.yml) asks for ${NOT_THERE}"},
		},
		{
			name: "missing placeholder in a list",
			file: "platform.local.accounts.a.env-vars-to-inherit: [A, '${NOT_THERE}']",
			want: []string{"asks for ${NOT_THERE}"},
		},
		{
			name: "no end of placeholders",
			file: "data.dir: " + strings.Repeat("${A:", 10) + "x" + strings.Repeat("}", 10),
			want: []string{"more than 8 deep"},
		},
		{
			name:    "values that cannot be read",
			environ: []string{"SKIFF_SERVER_PORT=http"},
			file: "healthcheck.period: soon\nhypermedia.links-array: perhaps\n" +
				"platform.local.accounts.a.env-vars-to-inherit: [[1]]",
			want: []string{
				"server.port (SKIFF_SERVER_PORT) must be a whole number",
				"healthcheck.period (healthcheck.period in skiff.yml) must be a time",
				"must be true or false", "must be a list of single values",
			},
		},
		{
			name: "values out of bounds",
			file: `
server: {port: 70000, address: "bad host"}
data.dir: ""
database.url: mysql://h/d
log: {level: loud, format: xml}
catalog.refresh: 10ms
healthcheck: {period: 0, timeout: 30h}
operation: {deploy-timeout: 0, undo-timeout: 1ms, queue-timeout: 169h, lease: 1h}
repositories.r: {description: no address}
platform.local.accounts.a: {env-vars-to-inherit: '(', java-cmd: '', shutdown-timeout: -2, debug-port: -1,
  port-range: {low: 5000, high: 5000}, startup-probe.path: x, health-probe.path: y}`,
			want: []string{
				"server.port must be a port from 0 to 65535, not 70000", "server.address must be",
				"data.dir must name a folder", "database.url must be postgres://", "log.level must be",
				"log.format must be",
				"catalog.refresh must be 0, or from 1s to 168h0m0s, not 10ms", "healthcheck.period must be from 10ms to 1h0m0s, not 0s",
				"healthcheck.timeout must be", "operation.deploy-timeout must", "operation.undo-timeout must", "operation.queue-timeout must",
				"operation.lease must", "repositories.r.url must be the address", "a.env-vars-to-inherit must hold",
				"a.java-cmd must", "a.shutdown-timeout must", "a.port-range.high must be above", "a.debug-port must",
				"a.startup-probe.path must", "a.health-probe.path must",
			},
		},
		{
			name: "other databases",
			file: "spring.datasource.url: jdbc:mariadb://h/d",
			want: []string{"spring.datasource.url must begin with jdbc:postgresql:"},
		},
		{
			name: "broken data source",
			file: "spring.datasource.url: jdbc:postgresql://h:secret/d",
			want: []string{"spring.datasource.url must be jdbc"},
		},
		{
			name: "user in the data source",
			file: "spring.datasource.url: jdbc:postgresql://u:secret@h/d",
			want: []string{"spring.datasource.url must be jdbc"},
		},
		{
			name: "key of a data source in Java's format",
			file: "spring.datasource.url: jdbc:postgresql://h/d?sslkey=/secret.pk8",
			want: []string{"sslkey must name a file in PEM"},
		},
		{
			name:    "JSON",
			environ: []string{"SPRING_APPLICATION_JSON={secret"},
			want:    []string{"SPRING_APPLICATION_JSON must be one JSON object of settings"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, _, err := load("skiff.yml", []byte(test.file), "h", test.environ, nil)
			require.Error(t, err)
			require.Empty(t, cmp.Diff(Config{}, c))
			for _, sentence := range test.want {
				require.ErrorContains(t, err, sentence)
			}
			require.NotContains(t, err.Error(), "secret")
		})
	}
}

func TestLoad_LeavesVariablesOfKubernetesServicesAlone(t *testing.T) {
	t.Parallel()
	environ := []string{
		"KUBERNETES_SERVICE_HOST=10.0.0.1", "SKIFF_SERVICE_HOST=10.0.0.2", "SKIFF_SERVICE_PORT_HTTP=7577",
		"SKIFF_PORT=tcp://10.0.0.2:7577", "SKIFF_PORT_7577_TCP_ADDR=10.0.0.2", "SKIFF_SERVER_PORT=tcp://10.0.0.2:7577",
		"SERVER_PORT=tcp://10.0.0.3:80",
	}
	c, _, err := load("skiff.yml", nil, "h", environ, nil)
	require.NoError(t, err)
	require.Equal(t, 7577, c.Server.Port)

	_, _, err = load("skiff.yml", nil, "h", environ[1:], nil)
	require.Error(t, err, "without Kubernetes they are mistakes")
}

func TestConfig_PrintsValuesWithTheirSourceAndHidesSecrets(t *testing.T) {
	t.Parallel()
	file := "database.url: postgres://u:hunter2@h/d\nplatform.local.accounts.default.app-admin.password: hunter2"
	c, _, err := load("skiff.yml", []byte(file), "h", []string{"SKIFF_LOG_LEVEL=debug"}, nil)
	require.NoError(t, err)
	require.Contains(t, c.String(), "server.port: 7577 (default)\n")
	require.Contains(t, c.String(), "log.level: debug (SKIFF_LOG_LEVEL)\n")
	require.Contains(t, c.String(), "database.url: ****** (database.url in skiff.yml)\n")
	encoded, err := json.Marshal(c)
	require.NoError(t, err)
	for _, shown := range []string{c.String(), string(encoded), fmt.Sprintf("%v %+v %#v", c, c, c)} {
		require.NotContains(t, shown, "hunter2")
	}
	require.Equal(t, "postgres://u:hunter2@h/d", string(c.Database.URL))
}

func FuzzLoad(f *testing.F) {
	skipper, err := os.ReadFile("testdata/skipper.yml")
	require.NoError(f, err)
	for _, seed := range []string{
		string(skipper), "", "a", "? [a]\n: b", "server: {port: }", "'': {'': 1}", "[a: 1", "server.port: 0x1F",
		"platform.local.accounts: {a: {}, '[b.c]': }",
		"data.dir: ${A:${B:${C}}}", "spring.datasource.url: jdbc:postgresql://u:hunter2@h:x/d?y", "1: 2\n1.5: 3\nnull: 4",
		"repositories: {x: &a {url: y}, z: *a}", "healthcheck.period: 99999999999999999999h",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		environ := []string{"SPRING_DATASOURCE_PASSWORD=Kq7hunter2", "A=${A}"}
		first, warnings, err := load("skiff.yml", []byte(text), "h", environ, nil)
		second, again, errAgain := load("skiff.yml", []byte(text), "h", environ, nil)
		require.Empty(t, cmp.Diff(first, second))
		require.Equal(t, warnings, again)
		require.Equal(t, fmt.Sprint(err), fmt.Sprint(errAgain))
		require.NotContains(t, fmt.Sprint(first, warnings, err), "Kq7hunter2")
		if err == nil {
			require.NotEmpty(t, first.Platform.Local.Accounts)
			require.NoError(t, validate(first))
		}
	})
}
