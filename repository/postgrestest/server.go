package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

var errNoPostgres = errors.New("no PostgreSQL is installed")

const (
	nobody    = 65534                 // its user and group, where no user has the name
	startPoll = 10 * time.Millisecond // between two tries to connect
	stopGrace = 5 * time.Second       // for a fast shutdown
)

// server is a running postgres whose process is our child.
type server struct {
	dir     string // data, socket and log
	data    string // below dir
	program string
	durable bool
	as      *syscall.Credential
	process *exec.Cmd
	exited  chan struct{}
}

// startServer makes a cluster in a folder of its own and serves it on a socket there. Unless it is durable, what it
// stores need not survive anything, so it never waits for the disk.
func startServer(ctx context.Context, durable bool) (*server, error) {
	programs, err := programFolder()
	if err != nil {
		return nil, err
	}
	// Not the test's own folder: a socket's path has 107 bytes at most, and postgres, when we are root, runs as a user
	// that must be able to reach it.
	parent := "/tmp"
	if !durable && roomy(memory) {
		parent = memory // each test has a database of its own, which is mostly writing files
	}
	dir, err := os.MkdirTemp(parent, "skpg")
	if err != nil {
		return nil, err
	}
	s := &server{
		dir: dir, data: filepath.Join(dir, "data"), program: filepath.Join(programs, "postgres"), durable: durable, as: runAs(),
	}
	if err := s.create(programs); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := ctx.Err(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := s.launch(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := s.wait(ctx); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// memory is where Linux keeps files that need not last; in containers it is often small.
const memory = "/dev/shm"

func roomy(dir string) bool {
	const enough = 2 << 30
	var fs syscall.Statfs_t
	return syscall.Statfs(dir, &fs) == nil && fs.Bavail*uint64(fs.Bsize) > enough
}

// programFolder is $PG_BIN, else the newest version where Debian puts them.
func programFolder() (string, error) {
	if dir := os.Getenv("PG_BIN"); dir != "" {
		return dir, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		return "", errNoPostgres
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(newest), nil
}

func version(program string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(program))))
	if err != nil {
		return 0
	}
	return n
}

// create makes the files of the cluster.
func (s *server) create(programs string) error {
	if s.as != nil {
		if err := os.Chown(s.dir, int(s.as.Uid), int(s.as.Gid)); err != nil {
			return err
		}
	}
	prepare := s.command(s.as, filepath.Join(programs, "initdb"),
		"-D", s.data, "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C")
	if out, err := prepare.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// launch starts the process; wait says when it serves.
func (s *server) launch() error {
	args := []string{
		"-D", s.data, "-k", s.dir,
		"-c", "listen_addresses=", "-c", "max_connections=200", "-c", "shared_buffers=64MB", "-c", "log_min_messages=fatal",
	}
	if !s.durable {
		args = append(args, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
	}
	s.process = s.command(s.as, s.program, args...)
	if err := s.process.Start(); err != nil {
		return err
	}
	process, exited := s.process, make(chan struct{})
	s.exited = exited
	go func() {
		_ = process.Wait() // how it ended tells nothing: we end it
		close(exited)
	}()
	return nil
}

// command is not bound to a context: the server outlives the test that happened to start it. It stands in a process
// group of its own, so that an interrupt at the terminal leaves its end to us.
func (s *server) command(as *syscall.Credential, program string, args ...string) *exec.Cmd {
	command := exec.Command(program, args...)
	command.Dir = s.dir
	command.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH"), "HOME=" + s.dir}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: as, Setpgid: true}
	return command
}

// runAs is the user of the server when we are root, which PostgreSQL refuses to run as; nil: our own.
func runAs() *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if uidErr == nil && gidErr == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	return &syscall.Credential{Uid: nobody, Gid: nobody}
}

// wait returns when the server takes connections.
func (s *server) wait(ctx context.Context) error {
	poll := time.NewTicker(startPoll)
	defer poll.Stop()
	for {
		err := s.exec(ctx, "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-poll.C:
		case <-s.exited:
			return fmt.Errorf("postgres ended at once: %w", err)
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// stop ends the server, and removes all it had.
func (s *server) stop() error {
	return errors.Join(s.halt(syscall.SIGINT), os.RemoveAll(s.dir))
}

// halt ends the process and keeps the data: SIGINT breaks connections off, SIGQUIT is a crash.
func (s *server) halt(how syscall.Signal) error {
	var errs []error
	if err := s.process.Process.Signal(how); err != nil && !errors.Is(err, os.ErrProcessDone) {
		errs = append(errs, err)
	}
	select {
	case <-s.exited:
	case <-time.After(stopGrace):
		errs = append(errs, s.process.Process.Signal(syscall.SIGQUIT))
		<-s.exited
	}
	return errors.Join(errs...)
}
