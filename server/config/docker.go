package config

import (
	"net/url"
	"slices"
)

// Docker holds the accounts that run containers of a Docker engine, or of Podman.
type Docker struct {
	Accounts map[string]DockerAccount `koanf:"accounts"` // by name; none unless configured
}

// DockerAccount says how one engine is used.
type DockerAccount struct {
	DockerEngine `koanf:",squash"`

	// Deployment holds deployment properties, without spring.cloud.deployer.docker., for applications without them.
	Deployment Properties `koanf:"deployment"`
	// AppAdmin is the user for the management endpoints of applications.
	AppAdmin AppAdmin `koanf:"app-admin"`
}

// DockerEngine says where an engine is, and how it gets private images.
type DockerEngine struct {
	// Host is unix:///path or tcp://host:port; default DOCKER_HOST, or unix:///var/run/docker.sock.
	Host string `koanf:"host"`
	// TLS is for tcp; default: the files in DOCKER_CERT_PATH with DOCKER_HOST, or no TLS.
	TLS DockerTLS `koanf:"tls"`
	// Registry is the login of a registry; others are taken from the config.json of docker login.
	Registry DockerRegistry `koanf:"registry"`
}

// DockerTLS names the files that tell an engine and its clients apart from others.
type DockerTLS struct {
	CA   string `koanf:"ca"`   // who signed the certificate of the engine
	Cert string `koanf:"cert"` // of this server
	Key  string `koanf:"key"`
}

// DockerRegistry is the login of a registry, for images of its host only.
type DockerRegistry struct {
	Host        string `koanf:"host"` // as registry.example.com:5000; docker.io for Docker Hub
	Username    string `koanf:"username"`
	Password    Secret `koanf:"password"`
	PasswordEnv string `koanf:"password-env"` // variable with the password, in place of password
}

// LocalDocker says how a local account runs docker: resources. Its keys but for those of the engine are also deployment
// properties of one application.
type LocalDocker struct {
	DockerEngine `koanf:",squash"`

	// Network of the containers; default bridge; empty: the engine's choice.
	Network string `koanf:"network"`
	// VolumeMounts are source:target[:options], separated by commas.
	VolumeMounts string `koanf:"volume-mounts"`
	// PortMappings are further ports to publish, [[address:]port:]port[/protocol], separated by commas.
	PortMappings string `koanf:"port-mappings"`
	// AdditionalHosts are name:address, separated by commas.
	AdditionalHosts string `koanf:"additional-hosts"`
	// DeleteContainerOnExit removes containers when they are undeployed; else they are stopped and kept; default true.
	DeleteContainerOnExit bool `koanf:"delete-container-on-exit"`
	// PortRange is where the ports of applications are taken from.
	PortRange PortRange `koanf:"port-range"`
	// PublishAddress is where ports are published; default 0.0.0.0, all addresses.
	PublishAddress string `koanf:"publish-address"`
}

func defaultLocalDocker() LocalDocker {
	return LocalDocker{
		Network: "bridge", DeleteContainerOnExit: true, PortRange: PortRange{Low: 20000, High: 61000},
		PublishAddress: "0.0.0.0",
	}
}

func (c *check) docker(e DockerEngine, key string) {
	u, err := url.Parse(e.Host)
	c.must(e.Host == "" || err == nil && u.User == nil &&
		(u.Scheme == "unix" && u.Path != "" || slices.Contains([]string{"tcp", "http", "https"}, u.Scheme) && u.Host != ""),
		key+"host", "be the address of an engine, as unix:///var/run/docker.sock or tcp://host:2376")
	c.must((e.TLS.Cert == "") == (e.TLS.Key == ""), key+"tls", "have both cert and key, or none")
	r := e.Registry
	named := r.Host != "" || r.Username != "" || r.Password != "" || r.PasswordEnv != ""
	c.must(!named || r.Host != "" && r.Username != "" && (r.Password == "") != (r.PasswordEnv == ""), key+"registry",
		"have host, username, and password or password-env")
}

func (c *check) dockerAccount(a DockerAccount, key string) {
	c.docker(a.DockerEngine, key)
	_, shown := a.Deployment["app-admin.password"]
	c.must(!shown, key+"deployment", "have no app-admin.password, which would be shown; the account has one of its own, %s",
		key+"app-admin.password")
}

func (c *check) localDocker(d LocalDocker, key string) {
	c.docker(d.DockerEngine, key)
	c.port(d.PortRange.Low, 1, key+"port-range.low")
	c.port(d.PortRange.High, 1, key+"port-range.high")
	c.must(d.PortRange.Low < d.PortRange.High, key+"port-range.high", "be above port-range.low (%d)", d.PortRange.Low)
}
