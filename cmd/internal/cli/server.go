package cli

import (
	"github.com/spf13/cobra"
)

// ServerOptions are the settings of a server given on the command line. Nil says that one was not given, so that the
// configuration file and the environment decide.
type ServerOptions struct {
	Config  string // a configuration file; empty: the usual one
	Port    *int
	Address *string
	DataDir *string
}

func newServer(c *cli) *cobra.Command {
	var options ServerOptions
	var port int
	var address, dataDir string
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Run a server until it is told to stop; applications outlive it",
		Long: "Run a server until SIGTERM or Ctrl-C. The applications it started keep running, and the next server on the\n" +
			"same data directory finds them again. It listens on this machine only, unless --address says otherwise.",
		Example: "  skiff server\n  skiff server --port 8080 --data-dir /var/lib/skiff\n  skiff server --config skiff.yml",
		Args:    positional(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if port < 0 || port > 65535 {
				return usagef("--port is %d: use a number from 0 to 65535, where 0 chooses a free port", port)
			}
			options.Port = given(cmd, "port", port)
			options.Address = given(cmd, "address", address)
			options.DataDir = given(cmd, "data-dir", dataDir)
			return c.Server(cmd.Context(), options)
		},
	}
	cmd.Flags().IntVar(&port, "port", 7577, "port to listen on; 0 chooses a free one")
	cmd.Flags().StringVar(&address, "address", "127.0.0.1", "address to listen on; 0.0.0.0 for all")
	cmd.Flags().StringVar(&dataDir, "data-dir", "./skiff-data", "folder for the database and what applications need")
	cmd.Flags().StringVar(&options.Config, "config", "", "configuration file (default skiff.yml, if it is there)")
	return cmd
}

// given tells a flag that was set, even to its default, from one that was not.
func given[T any](cmd *cobra.Command, flag string, value T) *T {
	if !cmd.Flags().Changed(flag) {
		return nil
	}
	return &value
}
