package cli

import (
	"net"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/edgegap/edgegaptest"
	"github.com/skiff-project/skiff/pkg/skipper"
)

func newEdgegapFake(c *cli) *cobra.Command {
	var o edgegaptest.Options
	var port int
	var pace string
	cmd := &cobra.Command{
		Use:   "fake",
		Short: "Run a server that behaves as Edgegap does, for experiments that cost nothing",
		Long: "Run a server that behaves as Edgegap does, for experiments that cost nothing: deployments get states, addresses,\n" +
			"ports and logs, but no container runs. It listens on this machine only, until SIGTERM or Ctrl-C, and prints what\n" +
			"to put into the environment of other commands; for a server of skiff, these are base-url and token of an account.\n" +
			"What it did is at /_fake/started, /_fake/running and /_fake/journal. An image with the tag \"missing\" cannot be\n" +
			"pulled. There is a private fleet, alpha.",
		Example: "  skiff edgegap fake --port 7588\n  skiff edgegap fake --state fake.json --pace real",
		Args:    exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case port < 0 || port > 65535:
				return usagef("--port is %d: use a number from 0 to 65535, where 0 chooses a free port", port)
			case pace == "real":
				o.Pace = edgegaptest.Real()
			case pace != "fast":
				return usagef("--pace is %q: use fast or real", pace)
			}
			o.Now, o.Control = c.Clock, true
			fake, err := edgegaptest.New(o)
			if err == nil {
				err = fake.AddFleet("alpha", edgegaptest.Host{}, edgegaptest.Host{})
			}
			if err != nil {
				return unusable(o.StateFile, err)
			}
			address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
			listener, err := (&net.ListenConfig{}).Listen(cmd.Context(), "tcp", address)
			if err != nil {
				return skipper.Errorf(skipper.CodeUnavailable, "%s cannot be listened on; choose another --port: %w", address, err)
			}
			if err := c.say("export %s=http://%s\nexport %s=%s\n", edgegapURL, listener.Addr(), edgegapToken, o.Token); err != nil {
				_ = listener.Close() // nobody can use it
				return err
			}
			return fake.Serve(cmd.Context(), listener)
		},
	}
	cmd.Flags().IntVar(&port, "port", 0, "port to listen on; 0 chooses a free one")
	cmd.Flags().StringVar(&o.StateFile, "state", "", "file that keeps what was made (default: it is forgotten at the end)")
	cmd.Flags().StringVar(&o.Token, "token", edgegaptest.DefaultToken, "the token it takes; it guards nothing")
	cmd.Flags().StringVar(&pace, "pace", "fast", "fast: ready in half a second; real: as Edgegap")
	cmd.Flags().BoolVar(&o.FreeTier, "free-tier", false, "the limits of Edgegap's free tier: one deployment, two applications")
	return cmd
}
