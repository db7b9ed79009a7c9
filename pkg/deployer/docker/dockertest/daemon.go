package dockertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/moby/moby/client"
)

const (
	poll         = 20 * time.Millisecond
	bridgePrefix = "skt"
	stopGrace    = 30 * time.Second
)

// daemon is a dockerd that is our child.
type daemon struct {
	dir, bridge string
	args        []string
	process     *os.Process
	exited      chan struct{}
}

func startDaemon(args []string) (*daemon, error) {
	if err := available(); err != nil {
		return nil, err
	}
	sweep()
	// Not the test's own folder: a socket's path has 107 bytes at most.
	dir, err := os.MkdirTemp("/tmp", "skdk")
	if err != nil {
		return nil, err
	}
	d := &daemon{dir: dir}
	network, err := d.addBridge()
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	d.args = append([]string{
		"-H", d.host(), "--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"),
		"--pidfile", filepath.Join(dir, "pid"), "--bridge", d.bridge, "--containerd-namespace", d.bridge,
		"--containerd-plugins-namespace", d.bridge + "p",
		"--default-address-pool", "base=10." + network + ".128.0/17,size=24",
		"--iptables=false", "--ip6tables=false", "--ip-forward=false", "--shutdown-timeout", "10",
	}, args...)
	if err := d.launch(); err != nil {
		return nil, errors.Join(err, d.remove())
	}
	return d, nil
}

func (d *daemon) host() string { return "unix://" + filepath.Join(d.dir, "d.sock") }

// addBridge makes a bridge of our own, with addresses that nobody else has, so that the one of the machine's own engine
// is left alone. Others may do the same at this moment: whoever finds that he is not alone tries again.
func (d *daemon) addBridge() (network string, err error) {
	for range 20 {
		network = strconv.Itoa(100 + rand.IntN(150))
		d.bridge = fmt.Sprintf("%s%d.%03x", bridgePrefix, os.Getpid(), rand.IntN(1<<12))
		if taken, err := addresses(network); err != nil {
			return "", err
		} else if taken > 0 || exec.Command("ip", "link", "add", "name", d.bridge, "type", "bridge").Run() != nil {
			continue
		}
		for _, args := range [][]string{
			{"addr", "add", "10." + network + ".0.1/24", "dev", d.bridge}, {"link", "set", d.bridge, "up"},
		} {
			if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
				return "", errors.Join(fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out), d.removeBridge())
			}
		}
		taken, err := addresses(network)
		if err == nil && taken == 1 {
			return network, nil
		}
		if err := errors.Join(err, d.removeBridge()); err != nil {
			return "", err
		}
	}
	return "", errors.New("no range of addresses is free for a bridge")
}

// addresses counts those of the machine in 10.<network>.
func addresses(network string) (int, error) {
	out, err := exec.Command("ip", "-o", "-4", "addr").Output()
	if err != nil {
		return 0, fmt.Errorf("list addresses: %w", err)
	}
	return strings.Count(string(out), " 10."+network+"."), nil
}

func (d *daemon) removeBridge() error {
	if out, err := exec.Command("ip", "link", "del", d.bridge).CombinedOutput(); err != nil {
		return fmt.Errorf("remove %s: %w: %s", d.bridge, err, out)
	}
	return nil
}

// sweep removes the bridges of tests that were killed.
func sweep() {
	bridges, _ := filepath.Glob("/sys/class/net/" + bridgePrefix + "*") // the pattern is a good one
	for _, bridge := range bridges {
		name := filepath.Base(bridge)
		pid, _, _ := strings.Cut(strings.TrimPrefix(name, bridgePrefix), ".")
		if _, err := os.Stat("/proc/" + pid); err != nil {
			_ = exec.Command("ip", "link", "del", name).Run()
		}
	}
}

// launch starts dockerd and waits until it serves. Should we be killed, it is told to end.
func (d *daemon) launch() error {
	log, err := os.OpenFile(filepath.Join(d.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	command := exec.Command("dockerd", d.args...)
	command.Stdout, command.Stderr, command.Dir = log, log, d.dir
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + d.dir}
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	started, exited := make(chan error, 1), make(chan struct{})
	go func() {
		runtime.LockOSThread() // the death signal is that of the thread
		defer close(exited)
		err := command.Start()
		started <- err
		if err == nil {
			_ = command.Wait() // how it ended tells nothing: we end it
		}
	}()
	err = <-started
	_ = log.Close() // it is dockerd's now
	if err != nil {
		return err
	}
	d.process, d.exited = command.Process, exited
	return d.wait()
}

func (d *daemon) wait() error {
	c, err := client.New(client.WithHost(d.host()))
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }() // nothing is open
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	for {
		if _, err = c.Ping(ctx, client.PingOptions{}); err == nil {
			return nil
		}
		select {
		case <-time.After(poll):
		case <-d.exited:
			text, _ := os.ReadFile(filepath.Join(d.dir, "log"))
			return fmt.Errorf("dockerd ended at once:\n%s", text)
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// halt ends the process and keeps the data.
func (d *daemon) halt(crash bool) error {
	if d.process == nil {
		return nil
	}
	how := syscall.SIGTERM
	if crash {
		how = syscall.SIGKILL
	}
	if err := d.process.Signal(how); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-d.exited:
	case <-time.After(stopGrace):
		_ = d.process.Kill()
		<-d.exited
	}
	if crash {
		d.endContainerd()
	}
	return nil
}

// endContainerd ends the containerd of a dockerd that crashed; the next one would wait for what waits to be reaped.
func (d *daemon) endContainerd() {
	file := filepath.Join(d.dir, "exec", "containerd", "containerd.pid")
	text, err := os.ReadFile(file)
	if err != nil {
		return
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && pid > 1 {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	_ = os.Remove(file)
}

// pause returns when the process stands still.
func (d *daemon) pause() func() {
	_ = d.process.Signal(syscall.SIGSTOP)
	for deadline := time.After(stopGrace); ; {
		stat, err := os.ReadFile("/proc/" + strconv.Itoa(d.process.Pid) + "/stat")
		if err != nil || strings.Contains(string(stat), ") T ") {
			break
		}
		select {
		case <-time.After(poll):
			continue
		case <-deadline:
		}
		break
	}
	return func() { _ = d.process.Signal(syscall.SIGCONT) }
}

// remove ends the engine, and all it had: processes, mounts, the bridge, files.
func (d *daemon) remove() error {
	err := d.halt(false)
	d.killLeft()
	mounts, _ := os.ReadFile("/proc/self/mounts")
	lines := strings.Split(string(mounts), "\n")
	for _, line := range slices.Backward(lines) { // the innermost first
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(fields[1], d.dir+"/") {
			err = errors.Join(err, syscall.Unmount(fields[1], syscall.MNT_DETACH))
		}
	}
	return errors.Join(err, d.removeBridge(), os.RemoveAll(d.dir))
}

// killLeft ends what a crashed or live-restoring engine left: its containerd, shims and containers, known by the folder
// in their command lines and, for containers, by their parents.
func (d *daemon) killLeft() {
	for range 3 {
		parents, left := map[string]string{}, map[string]bool{}
		stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is a good one
		for _, file := range stats {
			text, err := os.ReadFile(file)
			pid := filepath.Base(filepath.Dir(file))
			fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
			if err != nil || len(fields) < 2 {
				continue
			}
			parents[pid] = fields[1]
			if line, err := os.ReadFile("/proc/" + pid + "/cmdline"); err == nil && strings.Contains(string(line), d.dir+"/") {
				left[pid] = true
			}
		}
		for pid := range parents {
			for at, depth := pid, 0; depth < 20 && at != "0" && at != ""; at, depth = parents[at], depth+1 {
				if n, err := strconv.Atoi(pid); left[at] && err == nil && n != os.Getpid() {
					_ = syscall.Kill(n, syscall.SIGKILL)
				}
			}
		}
		if len(left) == 0 {
			return
		}
		<-time.After(poll) // what was killed needs a moment
	}
}
