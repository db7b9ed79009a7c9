// Package postgrestest gives tests databases of a PostgreSQL server that lives as long as they do: no setting up,
// nothing shared, nothing left behind. It works as root too. It knows nothing of the store: what a database is
// prepared with is handed in.
//
//	var cluster = postgrestest.Cluster{Migrate: migrate} // in a test file
//
//	func TestMain(m *testing.M) { os.Exit(cluster.Run(m)) }
//
//	url := cluster.Database(t) // in a test
//
// Without PostgreSQL on the machine the test is skipped; it fails instead when SKIFF_TEST_REQUIRE names postgres.
package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

const (
	template = "template_migrated"
	timeout  = 30 * time.Second // of each step that starts, prepares or clones
)

// Cluster is a PostgreSQL server that starts with the first database a test asks for. The zero value can be used.
type Cluster struct {
	// Migrate, when not nil, prepares what all databases are copies of. It must leave no connection open.
	Migrate func(ctx context.Context, url string) error
	// Durable keeps what was committed, whatever happens, and takes the time for it.
	Durable bool

	start  sync.Once
	err    error
	server *server
	made   atomic.Int64
}

// Run runs the tests of a package, stops the server and gives the exit code.
func (c *Cluster) Run(m interface{ Run() int }) int {
	code := m.Run()
	if c.server == nil {
		return code
	}
	if err := c.server.stop(); err != nil {
		code = max(code, 1)
	}
	return code
}

// Database makes a database for one test and gives its URL. It goes when the test ends.
func (c *Cluster) Database(t testing.TB) string {
	t.Helper()
	c.start.Do(func() { c.err = c.begin(t.Context()) })
	if errors.Is(c.err, errNoPostgres) {
		skip(t)
	}
	require.NoError(t, c.err, "start PostgreSQL")
	name := fmt.Sprintf("t%d", c.made.Add(1))
	c.Exec(t, "CREATE DATABASE "+name+" TEMPLATE "+template)
	t.Cleanup(func() { c.Exec(t, "DROP DATABASE "+name+" WITH (FORCE)") })
	return c.server.url(name)
}

// Halt stops the server, as an administrator does or, when it crashes, without any care; its data stay. Start goes on.
func (c *Cluster) Halt(t testing.TB, crash bool) {
	t.Helper()
	how := syscall.SIGINT
	if crash {
		how = syscall.SIGQUIT
	}
	require.NoError(t, c.server.halt(how))
}

// Start starts a server that was halted.
func (c *Cluster) Start(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), timeout)
	defer cancel()
	require.NoError(t, c.server.launch())
	require.NoError(t, c.server.wait(ctx))
}

// Socket gives the folder of the server's socket, which is named .s.PGSQL.5432.
func (c *Cluster) Socket() string { return c.server.dir }

// Exec runs SQL as the administrator of the server, outside the databases of tests.
func (c *Cluster) Exec(t testing.TB, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), timeout) // cleanups come after t.Context
	defer cancel()
	require.NoError(t, c.server.exec(ctx, sql))
}

func skip(t testing.TB) {
	t.Helper()
	required := strings.Split(os.Getenv("SKIFF_TEST_REQUIRE"), ",")
	if slices.Contains(required, "postgres") {
		t.Fatal("SKIFF_TEST_REQUIRE names postgres, and no PostgreSQL is installed: install postgresql, or set PG_BIN")
	}
	t.Skip("no PostgreSQL is installed: install postgresql, or set PG_BIN to the folder of its programs")
}

func (c *Cluster) begin(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if c.server, err = startServer(ctx, c.Durable); err != nil {
		return err
	}
	if err := c.server.exec(ctx, "CREATE DATABASE "+template); err != nil {
		return err
	}
	if c.Migrate == nil {
		return nil
	}
	return c.Migrate(ctx, c.server.url(template))
}

func (s *server) url(database string) string {
	return "postgres://postgres@/" + database + "?host=" + s.dir + "&sslmode=disable"
}

func (s *server) exec(ctx context.Context, sql string) (err error) {
	connection, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, connection.Close(ctx)) }()
	_, err = connection.Exec(ctx, sql)
	return err
}
