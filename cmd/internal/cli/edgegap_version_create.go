package cli

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/edgegap"
)

// versionOptions are those of a new version.
type versionOptions struct {
	spec edgegap.VersionSpec

	image, passwordEnv, restart string
	ports, env, secretEnv       []string
	minutes                     int
}

func newEdgegapVersionsCreate(e *edge) *cobra.Command {
	var o versionOptions
	cmd := e.asks(&cobra.Command{
		Use:   "create APPLICATION VERSION --image IMAGE --port PORT",
		Short: "Create a version: an image, and how it is run",
		Long: "Create a version of an application: an image, and how it is run. A release of skiff needs none: its server makes\n" +
			"what it needs. Edgegap keeps images by their tag: never use one twice.",
		Example: "  skiff edgegap versions create arena 1.4.0 --image docker.io/acme/arena:1.4.0 --port game:7777/UDP\n" +
			"  skiff edgegap versions create arena 1.4.0 --image registry.edgegap.com/acme/arena:1.4.0 \\\n" +
			"    --port game:7777/UDP --port web:8080/WS+tls --registry-user robot --registry-password-env REGISTRY_PASSWORD",
		Args: exactly("APPLICATION", "VERSION"),
	}, func(ctx context.Context, client *edgegap.Client, args []string) error {
		spec, err := e.versionSpec(o)
		if err != nil {
			return err
		}
		spec.Name = args[1]
		version, err := client.CreateVersion(ctx, args[0], spec)
		if err != nil {
			return err
		}
		return e.show(version, func() error { return e.say("Version %s of application %s was created\n", version.Name, args[0]) })
	})
	cmd.Flags().StringVar(&o.image, "image", "", "image as REGISTRY/PATH:TAG, as docker.io/acme/arena:1.4.0")
	cmd.Flags().StringArrayVar(&o.ports, "port", nil, "port as NAME:NUMBER/PROTOCOL, as game:7777/UDP or web:8080/WS+tls; "+
		"with !check behind it the port must answer before the server is ready; may be repeated")
	cmd.Flags().IntVar(&o.spec.CPUUnits, "cpu-units", 1024, "CPU units; 1024 are a whole CPU")
	cmd.Flags().IntVar(&o.spec.MemoryMB, "memory-mb", 2048, "memory in MB, at most twice the CPU units")
	cmd.Flags().IntVar(&o.spec.GPUUnits, "gpu-units", 0, "GPU units")
	cmd.Flags().StringVar(&o.spec.Username, "registry-user", "", "user of the registry")
	cmd.Flags().StringVar(&o.passwordEnv, "registry-password-env", "", "environment variable that holds the user's password")
	cmd.Flags().IntVar(&o.minutes, "max-minutes", edgegap.MaxDurationMinutes, "longest life of a deployment; -1 for no end")
	cmd.Flags().IntVar(&o.spec.TimeToDeploySeconds, "pull-seconds", 120, "longest time to pull the image, at least 15")
	cmd.Flags().IntVar(&o.spec.GraceSeconds, "grace-seconds", 0, "from SIGTERM to the end, 5 to 3600 (default: Edgegap's)")
	cmd.Flags().StringVar(&o.restart, "restart", "always", "when the process ends: always, never or on_failure")
	cmd.Flags().BoolVar(&o.spec.VerifyImage, "verify-image", true, "refuse an image that cannot be pulled")
	cmd.Flags().BoolVar(&o.spec.ForceCache, "force-cache", false, "load the image everywhere beforehand")
	cmd.Flags().BoolVar(&o.spec.MainlandChina, "mainland-china", false, "the image is for locations in mainland China")
	cmd.Flags().StringVar(&o.spec.EndpointStorage, "endpoint-storage", "", "where logs are kept")
	cmd.Flags().StringVar(&o.spec.DNSConfig, "dns-config", "", "DNS configuration of the dashboard")
	variableFlags(cmd, &o.env, &o.secretEnv)
	return cmd
}

func (e *edge) versionSpec(o versionOptions) (edgegap.VersionSpec, error) {
	spec := o.spec
	registry, rest, ok := strings.Cut(o.image, "/")
	path, tag, tagged := strings.Cut(rest, ":")
	if !ok || !tagged || !strings.ContainsAny(registry, ".:") && registry != "localhost" || path == "" || tag == "" {
		return spec, usagef("--image is %q: write REGISTRY/PATH:TAG, as docker.io/acme/arena:1.4.0", o.image)
	}
	spec.Registry, spec.Image, spec.Tag = registry, path, tag
	if o.passwordEnv != "" {
		spec.Password = edgegap.Secret(e.Env(o.passwordEnv))
	}
	if (spec.Username == "") != (spec.Password == "") {
		return spec, usagef("--registry-user and a password in the variable of --registry-password-env belong together")
	}
	switch o.restart {
	case "always", "never", "on_failure":
		spec.RestartPolicy = edgegap.RestartPolicy(o.restart)
	default:
		return spec, usagef("--restart is %q: use always, never or on_failure", o.restart)
	}
	spec.MaxDurationMinutes = &o.minutes
	for _, text := range o.ports {
		rest, check := strings.CutSuffix(text, "!check")
		rest, tls := strings.CutSuffix(rest, "+tls")
		name, rest, _ := strings.Cut(rest, ":")
		number, protocol, _ := strings.Cut(rest, "/")
		n, err := strconv.Atoi(number)
		if err != nil || name == "" || protocol == "" {
			return spec, usagef("--port is %q: write NAME:NUMBER/PROTOCOL, as game:7777/UDP", text)
		}
		spec.Ports = append(spec.Ports, edgegap.VersionPort{
			Name: name, Port: n, Protocol: strings.ToUpper(protocol), Check: check, TLSUpgrade: tls,
		})
	}
	var err error
	spec.Environment, err = e.assignments(o.env, o.secretEnv)
	return spec, err
}
