// Command skiff is the release manager: its server, and the command line that talks to one.
package main

import (
	"context"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/skiff-project/skiff/cmd/internal/app"
	"github.com/skiff-project/skiff/cmd/internal/cli"
	"github.com/skiff-project/skiff/cmd/internal/shell"
)

// version is set by the build.
var version = "dev"

func main() {
	ctx, stop := context.WithCancel(context.Background())
	s := listen(stop)
	deps := cli.Deps{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.Getenv, Version: version, Clock: time.Now,
		IsTTY:  term.IsTerminal(int(os.Stderr.Fd())) && term.IsTerminal(int(os.Stdin.Fd())),
		OutTTY: term.IsTerminal(int(os.Stdout.Fd())), Width: width, Interrupts: s.take,
		Archive: app.Archive{Version: version, Environ: os.Environ(), Err: os.Stderr, Clock: time.Now},
		Edgegap: app.EdgegapAccount(os.Environ()),
		Server: func(ctx context.Context, o cli.ServerOptions) error {
			return app.Run(ctx, app.Options{
				Version: version, Config: o.Config, Port: o.Port, Address: o.Address, DataDir: o.DataDir,
				Environ: os.Environ(), Out: os.Stdout, Err: os.Stderr, Clock: time.Now,
			})
		},
	}
	if term.IsTerminal(int(os.Stdin.Fd())) {
		deps.Password = password
	}
	deps.Shell = shell.Run
	code := cli.Run(ctx, deps, os.Args[1:])
	stop()
	os.Exit(code)
}
