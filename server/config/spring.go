package config

// alias is a key of Skipper, or the beginning of keys, with skiff's own for the same thing.
type alias struct {
	theirs, ours string
	millis       bool // theirs is a number of milliseconds
}

func aliases() []alias {
	const server = "spring.cloud.skipper.server."
	return []alias{
		{theirs: "server.port", ours: "server.port"},
		{theirs: "maven", ours: "maven", millis: true},
		{theirs: "server.address", ours: "server.address"},
		{theirs: "server.forward-headers-strategy", ours: "server.forward-headers-strategy"},
		{theirs: server + "package-repositories", ours: "repositories"},
		{theirs: server + "synchonize-index-on-context-refresh", ours: "catalog.synchronize"}, // spelled so
		{theirs: server + "platform.local.accounts", ours: "platform.local.accounts"},
		{theirs: server + "platform.docker.accounts", ours: "platform.docker.accounts"},
		{theirs: server + "platform.edgegap.accounts", ours: "platform.edgegap.accounts"},
		{theirs: server + "platform.kubernetes.accounts", ours: "platform.kubernetes.accounts"},
		{theirs: server + "strategies.healthcheck.timeout-in-millis", ours: "healthcheck.timeout", millis: true},
		{theirs: server + "strategies.healthcheck.sleep-in-millis", ours: "healthcheck.period", millis: true},
	}
}
