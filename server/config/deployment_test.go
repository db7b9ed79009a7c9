package config

import (
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

func TestLoad_UnderstandsAConfigMapOfDataFlow(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/configmap.yml")
	require.NoError(t, err)
	c, warnings, err := load("application.yml", text, "myhost", []string{
		"KUBERNETES_SERVICE_HOST=10.0.0.1", "POSTGRESQL_SERVICE_HOST=10.0.0.2", "POSTGRESQL_SERVICE_PORT=5432",
		"POSTGRESQLPASSWORD=pw", "APPADMINPASSWORD=secret", "SPRING_CLOUD_CONFIG_ENABLED=false",
	}, nil)
	require.NoError(t, err)
	require.Equal(t, 8000, c.Server.Port, "the document for the profile local comes later")
	require.Equal(t, "postgres://postgres:pw@10.0.0.2:5432/skipper", string(c.Database.URL))
	require.Equal(t, HealthCheck{Period: 2 * time.Second, Timeout: 10 * time.Minute}, c.HealthCheck)
	require.Equal(t, Catalog{Synchronize: false, Refresh: 10 * time.Minute}, c.Catalog)
	require.Empty(t, cmp.Diff(map[string]Repository{
		"local": {
			URL: "http://myhost:8000", Local: true, RepoOrder: new(1),
			Description: "Default local database backed repository",
		},
		"samples": {URL: "https://example.com/packages", RepoOrder: new(0)},
	}, c.Repositories))
	account := accountIn("skiff-data/apps/default")
	account.ShutdownTimeout, account.DebugSuspend = time.Minute, false
	account.EnvVarsToInherit = []string{"PATH", "LC_.*"}
	account.JavaCmd = "/opt/java17/bin/java"
	account.JavaHomePath = map[string]string{"2": "/opt/java11", "3": "/opt/java17"}
	account.AppAdmin = AppAdmin{User: "admin", Password: "secret"}
	require.Empty(t, cmp.Diff(map[string]LocalAccount{"default": account}, c.Platform.Local.Accounts))
	require.Len(t, c.Platform.Kubernetes.Accounts["minikube"], 2)
	const server = "spring.cloud.skipper.server."
	require.Equal(t, []string{
		"these settings do nothing here: what application.yml says for the profile kubernetes, " +
			"what application.yml says for the profile !local & prod, " +
			"info.app.name, management.endpoints.web.exposure.include, " +
			"server.error.include-message, spring.cloud.config.enabled, " +
			server + "packageRepositories.local.name, " +
			server + "platform.local.accounts.default.maximumConcurrentTasks, " +
			"spring.datasource.testOnBorrow, SPRING_CLOUD_CONFIG_ENABLED",
	}, warnings)
}

func TestLoad_UnderstandsTheEnvironmentOfAComposeFile(t *testing.T) {
	t.Parallel()
	const accounts = "SPRING_CLOUD_SKIPPER_SERVER_PLATFORM_LOCAL_ACCOUNTS_"
	c, warnings, err := load("skiff.yml", nil, "skipper-server", []string{
		"SERVER_PORT=7578",
		accounts + "DEFAULT_PORTRANGE_LOW=20000", accounts + "DEFAULT_PORTRANGE_HIGH=20100",
		accounts + "DEFAULT_WORKINGDIRECTORIESROOT=/apps", accounts + "DEFAULT_DELETEFILESONEXIT=false",
		accounts + "DEFAULT_JAVACMD=/jdk/bin/java", accounts + "DEFAULT_JAVAOPTS=-Xmx1g",
		accounts + "DEFAULT_USESPRINGAPPLICATIONJSON=false", accounts + "DEFAULT_HOSTNAME=host",
		accounts + "DEFAULT_DEBUGPORT=9999", accounts + "DEFAULT_DEBUGADDRESS=*:9999", accounts + "DEFAULT_DEBUGSUSPEND=y",
		accounts + "DEFAULT_INHERITLOGGING=true", accounts + "DEFAULT_JAVAHOMEPATH_2=/jdk11",
		accounts + "DEFAULT_APPADMIN_USER=u", accounts + "DEFAULT_APPADMIN_PASSWORD=p",
		accounts + "DEFAULT_STARTUPPROBE_PATH=/up", accounts + "DEFAULT_HEALTHPROBE_PATH=/alive",
		accounts + "DEFAULT_SHUTDOWNTIMEOUT=5", accounts + "DEFAULT_DOCKER_NETWORK=dataflow_default",
		accounts + "DEFAULT_DOCKER_PORTRANGE_LOW=20200", accounts + "DEFAULT_DOCKER_DELETECONTAINERONEXIT=false",
		accounts + "DEFAULT_DOCKER_VOLUMEMOUNTS=/tmp:/tmp", accounts + "DEFAULT_DOCKER_PORTMAPPINGS=80:80",
		accounts + "DEFAULT_DOCKER_ADDITIONALHOSTS=db:10.0.0.1",
		accounts + "DEFAULT_ENVVARSTOINHERIT_10_=LAST", accounts + "DEFAULT_ENVVARSTOINHERIT_2=SECOND",
		accounts + "DEFAULT_ENVVARSTOINHERIT_0=FIRST",
		"SPRING_CLOUD_SKIPPER_SERVER_PACKAGEREPOSITORIES_SAMPLES_URL=https://example.com/p",
		"SPRING_CLOUD_SKIPPER_SERVER_PACKAGE_REPOSITORIES_SAMPLES_REPO_ORDER=3",
		"SPRING_DATASOURCE_URL=jdbc:postgresql://postgres:5432/dataflow", "SPRING_DATASOURCE_USERNAME=root",
		"spring.datasource.password=rootpw", "SPRING_DATASOURCE_DRIVER_CLASS_NAME=org.postgresql.Driver",
		"LOGGING_LEVEL_ORG_SPRINGFRAMEWORK_CLOUD_SKIPPER=DEBUG", "MAVEN_LOCAL_REPOSITORY=/m2", "MAVEN_OPTS=-Xmx1g",
		"SERVER_SERVLET_CONTEXT_PATH=/x", "SERVER_SOFTWARE=httpd", "unrelated.dotted=1",
	}, nil)
	require.NoError(t, err)
	require.Equal(t, 7578, c.Server.Port)
	require.Equal(t, "/m2", c.Maven.LocalRepository)
	require.Equal(t, "postgres://root:rootpw@postgres:5432/dataflow", string(c.Database.URL))
	require.Equal(t, Repository{URL: "https://example.com/p", RepoOrder: new(3)}, c.Repositories["samples"])
	require.Empty(t, cmp.Diff(map[string]LocalAccount{"default": {
		WorkingDirectoriesRoot: "/apps", JavaCmd: "/jdk/bin/java", JavaOpts: "-Xmx1g", Hostname: "host",
		EnvVarsToInherit: []string{"FIRST", "SECOND", "LAST"}, JavaHomePath: map[string]string{"2": "/jdk11"},
		ShutdownTimeout: 5 * time.Second, PortRange: PortRange{Low: 20000, High: 20100}, DebugPort: 9999,
		DebugAddress: "*:9999", DebugSuspend: true, InheritLogging: true, AppAdmin: AppAdmin{User: "u", Password: "p"},
		StartupProbe: Probe{Path: "/up"}, HealthProbe: Probe{Path: "/alive"},
		Docker: LocalDocker{
			Network: "dataflow_default", PortRange: PortRange{Low: 20200, High: 61000}, VolumeMounts: "/tmp:/tmp",
			PortMappings: "80:80", AdditionalHosts: "db:10.0.0.1", PublishAddress: "0.0.0.0",
		},
		RestartPolicy: "never", RestartDelay: time.Second, OnServerExit: "leave", LogMaxSize: "16m", LogMaxFiles: 4,
	}}, c.Platform.Local.Accounts))
	require.Equal(t, []string{"these settings do nothing here: LOGGING_LEVEL_ORG_SPRINGFRAMEWORK_CLOUD_SKIPPER, " +
		"SERVER_SERVLET_CONTEXT_PATH"}, warnings)
}

func TestLoad_ReadsSpringsApplicationJSON(t *testing.T) {
	t.Parallel()
	c, warnings, err := load("skiff.yml", []byte("server.port: 1"), "h", []string{
		"SERVER_PORT=2", "SKIFF_LOG_LEVEL=warn",
		`SPRING_APPLICATION_JSON={"server": {"port": 3}, "log.level": "debug", "my-app": {"x": 1},
			"spring.cloud.skipper.server.platform.local.accounts": {"default": {"envVarsToInherit": ["A", "B"]}, "other": {}},
			"spring": {"datasource.url": "jdbc:postgresql://h/${db.name}"}, "db.name": "skipper", "spring.main.banner-mode": "off"}`,
	}, nil)
	require.NoError(t, err)
	require.Equal(t, 3, c.Server.Port, "it beats plain variables")
	require.Equal(t, "SPRING_APPLICATION_JSON", c.Sources["server.port"][len("server.port in "):])
	require.Equal(t, "warn", c.Log.Level, "skiff's own variables beat it")
	require.Equal(t, []string{"A", "B"}, c.Platform.Local.Accounts["default"].EnvVarsToInherit)
	require.Contains(t, c.Platform.Local.Accounts, "other")
	require.Equal(t, "postgres://h/skipper", string(c.Database.URL))
	require.Equal(t, []string{"these settings do nothing here: db.name, my-app.x, spring.main.banner-mode"}, warnings)
}

func TestLoad_ChoosesDocumentsByProfile(t *testing.T) {
	t.Parallel()
	for condition, want := range map[string]bool{
		"spring.profiles: local":                                        true,
		"spring.profiles: [default]":                                    true,
		"spring.profiles: 'cloud, local'":                               true,
		"spring: {config: {activate: {onProfile: default}}}":            true,
		"spring.config.activate.on-profile: [cloud, local]":             true,
		"spring.config.activate.on-profile: cloud | local":              true,
		"spring.config.activate.on-profile: '!cloud'":                   true,
		"spring.config.activate.on-profile: 'local & !cloud'":           true,
		"spring.config.activate.on-profile: 'dev & named'":              true,
		"spring.config.activate.on-profile: named":                      true,
		"spring.config.activate.on-profile: dev":                        true,
		"spring.profiles.active: cloud":                                 true,
		"spring.profiles: cloud":                                        false,
		"spring.config.activate.on-profile: 'local & cloud'":            false,
		"spring.config.activate.on-profile: '!local'":                   false,
		"spring.config.activate.on-profile: '!(cloud)'":                 false,
		"spring.config.activate.on-cloud-platform: kubernetes":          false,
		"spring.config.activate: {on-cloud-platform: none, x: y, z: 1}": false,
	} {
		t.Run(condition, func(t *testing.T) {
			t.Parallel()
			file := "server.port: 1\nspring.profiles.active: named\n---\n---\n" + condition + "\nserver.port: 2\n"
			c, warnings, err := load("a.yml", []byte(file), "h", []string{"SPRING_PROFILES_ACTIVE=dev,test"}, nil)
			require.NoError(t, err)
			if want {
				require.Equal(t, 2, c.Server.Port)
				require.Empty(t, warnings)
				return
			}
			require.Equal(t, 1, c.Server.Port)
			require.Len(t, warnings, 1)
			require.Contains(t, warnings[0], "what a.yml says for the profile ")
		})
	}
}

func TestLoad_NamesADataSourceWithoutURL(t *testing.T) {
	t.Parallel()
	_, warnings, err := load("a.yml", nil, "h", []string{"SPRING_DATASOURCE_USERNAME=me"}, nil)
	require.NoError(t, err)
	require.Equal(t, []string{
		"these settings do nothing here: spring.datasource.username without spring.datasource.url",
	}, warnings)
}
