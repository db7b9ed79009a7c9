// Package config is the configuration of the server: what can be set, what is in force, and where each value came from.
//
// A value is taken from, in falling rank: a flag, a SKIFF_ environment variable, SPRING_APPLICATION_JSON, an environment
// variable in Spring's spelling, the configuration file, the default. Keys are matched without regard to case, dashes and
// underscores. Of several documents in the file those count whose profile is active; later ones win. Skipper's own keys
// stand for skiff's where there is one; other keys of Spring are named in one warning, and a key that nobody knows is an
// error. A value may hold placeholders: ${NAME} or ${NAME:default}, taken from the environment or from another key.
//
//	flags := map[string]string{"server.port": "8080"}
//	c, warnings, err := config.Load(config.Options{Environ: os.Environ(), Flags: flags})
//
// It must not know what the values are used for: cmd/internal/app hands them to the parts of the server.
package config
