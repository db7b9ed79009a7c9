package local

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

// start starts one instance and keeps it there; what keeps it from starting is kept as well, and in its log.
func (d *Deployer) start(p plan, rec *record, i *instance) {
	err := os.MkdirAll(rec.dir(), 0o750)
	if err == nil {
		err = d.launch(p, rec, i)
	}
	if err == nil {
		return
	}
	i.Failed, i.PID = err.Error(), 0
	d.schedule(rec, i)
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
	defer d.limit(cmd, p, i)()
	closeLogs, err := connect(cmd, rec, *i)
	if err != nil {
		return err
	}
	defer closeLogs()
	if err := cmd.Start(); err != nil {
		return err
	}
	// Until it is waited for, its entry stays in the process table, even if it has ended by now.
	i.PID, i.Boot, i.Started = cmd.Process.Pid, d.boot, d.Clock().UnixMilli()
	if started, ok := live(cmd.Process.Pid); ok {
		i.Start = started.start
		if at := startTime(started); !at.IsZero() { // as who finds it by its mark reads it, too
			i.Started = at.UnixMilli()
		}
	}
	d.attend(p.id, rec, *i, cmd)
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

func (r *record) stdout(i instance) string { return r.log("stdout", i) }

func (r *record) stderr(i instance) string { return r.log("stderr", i) }

func (r *record) log(stream string, i instance) string {
	return filepath.Join(r.dir(), fmt.Sprintf("%s_%d.log", stream, i.Index))
}

func logFile(name string) bool {
	return regexp.MustCompile(`^(stdout|stderr)_\d+\.log(\.\d+(\.new)?)?$`).MatchString(name)
}
