package local

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// child is a process this server has started and therefore gets the exit code of.
type child struct {
	instance instance
	done     chan struct{} // closed when it has ended; then the rest is set
	code     int           // -1 when a signal ended it
	text     string        // how it ended, for people
}

// start starts one instance and keeps it there; what keeps it from starting is kept as well, and in its log.
func (d *Deployer) start(p plan, rec *record, i *instance) {
	err := os.MkdirAll(rec.dir(), 0o750)
	if err == nil {
		err = d.launch(p, rec, i)
	}
	if err == nil {
		return
	}
	i.Failed = err.Error()
	d.Logger.Warn("instance not started", "deployment", p.id, "index", i.Index, "reason", i.Failed)
	if log, err := openLog(rec.stderr(*i)); err == nil {
		_, _ = fmt.Fprintln(log, "not started:", i.Failed) // the status tells it too
		_ = log.Close()
	}
}

func (d *Deployer) launch(p plan, rec *record, i *instance) error {
	if p.failed != "" {
		return fmt.Errorf("%s", p.failed)
	}
	environment, err := d.environment(p, rec, *i)
	if err != nil {
		return err
	}
	args := p.arguments(i.Index)
	// Not CommandContext: the end of a request must not be the end of the application.
	cmd := &exec.Cmd{Path: args[0], Args: args, Env: environment, Dir: rec.dir(), SysProcAttr: apart()}
	closeLogs, err := connect(cmd, rec, *i)
	if err != nil {
		return err
	}
	defer closeLogs()
	if err := cmd.Start(); err != nil {
		return err
	}
	// Until it is waited for, its entry stays in the process table, even if it has ended by now.
	if started, ok := live(cmd.Process.Pid); ok {
		i.Start = started.start
	}
	i.PID, i.Boot = cmd.Process.Pid, d.boot
	c := &child{instance: *i, done: make(chan struct{})}
	d.mu.Lock()
	d.children[i.Nonce] = c
	d.mu.Unlock()
	go c.wait(cmd)
	return nil
}

// connect gives a process its log files: files, because a pipe would break when the server ends.
func connect(cmd *exec.Cmd, rec *record, i instance) (closeLogs func(), err error) {
	if rec.InheritLogging {
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		return func() {}, nil
	}
	out, err := openLog(rec.stdout(i))
	if err != nil {
		return nil, err
	}
	errors, err := openLog(rec.stderr(i))
	if err != nil {
		_ = out.Close()
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = out, errors
	return func() { closeAll(out, errors) }, nil
}

func closeAll(files ...io.Closer) {
	for _, f := range files {
		_ = f.Close() // the process has its own handle
	}
}

func openLog(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

func (c *child) wait(cmd *exec.Cmd) {
	defer close(c.done)
	err := cmd.Wait()
	switch state := cmd.ProcessState; {
	case state == nil: // it could not be waited for
		c.code, c.text = -1, err.Error()
	case state.Exited():
		c.code = state.ExitCode()
		c.text = "exited with code " + strconv.Itoa(c.code)
	default: // "signal: killed", with or without a core dump
		c.code, c.text = -1, "ended by "+state.String()
	}
}

// tell says how a process ended. Only its parent learns that: a nil child was started by another server.
func (c *child) tell(attributes map[string]string) {
	if c == nil {
		attributes[deployer.AttributeReason] = "ended; how is not known, because an earlier server started it"
		return
	}
	attributes[deployer.AttributeReason] = c.text
	if c.code >= 0 {
		attributes[deployer.AttributeExitCode] = strconv.Itoa(c.code)
	}
}

func (d *Deployer) child(nonce string) *child {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.children[nonce]
}

// ended says whether the process has ended.
func (c *child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

func (r *record) stdout(i instance) string { return r.log("stdout", i) }

func (r *record) stderr(i instance) string { return r.log("stderr", i) }

func (r *record) log(stream string, i instance) string {
	return filepath.Join(r.dir(), fmt.Sprintf("%s_%d.log", stream, i.Index))
}

func logFile(name string) bool {
	return regexp.MustCompile(`^(stdout|stderr)_\d+\.log$`).MatchString(name)
}
