package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// Archive backs up and restores the store of a server. It works on the store itself, not through a server. dataDir is
// nil when it was not given; tell hears what is being done and how many rows of it are.
type Archive interface {
	Backup(ctx context.Context, config string, dataDir *string, to io.Writer, tell func(string, int64),
	) (skipper.Backup, error)
	Restore(ctx context.Context, config string, dataDir *string, from io.ReadSeeker, tell func(string, int64),
	) (skipper.Backup, error)
}

// place is where the store of a server is.
type place struct {
	config, dataDir string
}

func (p *place) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.dataDir, "data-dir", "./skiff-data", "data folder of the server")
	cmd.Flags().StringVar(&p.config, "config", "", "configuration file (default skiff.yml, if it is there)")
}

func newBackup(c *cli) *cobra.Command {
	var p place
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write all that a server keeps into a file, also while it runs",
		Long: "Write all that a server keeps into a file: packages, releases, operations, and what is known of running\n" +
			"applications. It works on the server's database, with the same settings as the server, which may run meanwhile;\n" +
			"all is as it was at one moment. The file suits SQLite and PostgreSQL alike. It holds the values of releases, and\n" +
			"with them perhaps secrets: only its owner can read it. FILE - is standard output.",
		Example: "  skiff backup skiff-backup.gz\n  skiff backup - | ssh other 'cat > skiff-backup.gz'",
		Args:    oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.backup(cmd.Context(), p.config, given(cmd, "data-dir", p.dataDir), args[0])
		},
	}
	p.flags(cmd)
	return cmd
}

func newRestore(c *cli) *cobra.Command {
	var p place
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Bring a backup into an empty database, before the server is started on it",
		Long: "Bring a backup into an empty database: a new data directory, or a new PostgreSQL database, with the same\n" +
			"settings as the server that is to be started on it. All of the file is checked before anything is written.\n" +
			"Applications that run are taken over by the server and not started again. The old server must not run any\n" +
			"more. FILE - is standard input.",
		Example: "  skiff restore skiff-backup.gz --data-dir /var/lib/skiff\n" +
			"  SKIFF_DATABASE_URL=postgres://… skiff restore skiff-backup.gz",
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.restore(cmd.Context(), p.config, given(cmd, "data-dir", p.dataDir), args[0])
		},
	}
	p.flags(cmd)
	return cmd
}

func oneFile(_ *cobra.Command, args []string) error {
	if len(args) != 1 || args[0] == "" {
		return usagef("name one file; - is standard input or output")
	}
	return nil
}

func (c *cli) backup(ctx context.Context, config string, dataDir *string, file string) error {
	var done skipper.Backup
	var size int64
	err := c.writing(file, func(w io.Writer) (err error) {
		counted := &counter{out: w}
		tell, end := c.telling()
		defer end()
		done, err = c.Archive.Backup(ctx, config, dataDir, counted, tell)
		size = counted.n
		return err
	})
	if err != nil {
		return err
	}
	out := *c
	if file == "-" { // the backup has standard output
		out.Out = c.Err
	}
	return out.summary("backed up", file, size, done)
}

func (c *cli) restore(ctx context.Context, config string, dataDir *string, file string) error {
	from, done, err := c.reading(file)
	if err != nil {
		return err
	}
	defer done()
	tell, end := c.telling()
	held, err := c.Archive.Restore(ctx, config, dataDir, from, tell)
	end()
	if err != nil {
		return err
	}
	size, err := from.Seek(0, io.SeekEnd)
	if err != nil {
		return unusable(file, err)
	}
	return c.summary("restored", file, size, held)
}

// summary says what a backup holds.
func (c *cli) summary(did, file string, size int64, b skipper.Backup) error {
	value := struct {
		File  string `json:"file"`
		Bytes int64  `json:"bytes"`
		skipper.Backup
	}{file, size, b}
	return c.show(value, func() error {
		return c.say("%s %d release versions, %d operations and %d packages of installation %s (%d bytes)\n", did,
			b.Tables["releases"], b.Tables["operations"], b.Tables["packages"], b.Installation, size)
	})
}

// telling gives what hears of progress, and shows it once it takes longer than a second; end comes after it.
func (c *cli) telling() (tell func(string, int64), end func()) {
	began, shown := c.Clock(), c.progress()
	last := time.Duration(0)
	return func(what string, rows int64) {
		elapsed := c.Clock().Sub(began)
		if elapsed < time.Second || (rows > 0 && elapsed-last < 200*time.Millisecond) {
			return
		}
		last = elapsed
		if c.IsTTY {
			what = fmt.Sprintf("%-24s %d", what, rows)
		}
		shown.show("", sight{pending: what}, elapsed)
	}, shown.end
}
