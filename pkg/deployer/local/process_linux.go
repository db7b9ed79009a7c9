package local

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// bootID names this run of the machine and, as a container counts its own processes, the table they are counted in.
func bootID() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read the boot id: %w", err)
	}
	table, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return "", fmt.Errorf("read the process namespace: %w", err)
	}
	return strings.TrimSpace(string(id)) + " " + table, nil
}

// apart gives a process a session of its own: signals to the server's terminal or group do not reach it.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// live finds a live process.
func live(pid int) (process, bool) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return process{}, false
	}
	p, ok := parseStat(stat)
	if environ, err := os.ReadFile(filepath.Join(dir, "environ")); ok && err == nil {
		p.mark = markIn(environ)
	}
	return p, ok
}

// processes lists all live processes.
func processes() ([]process, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, deployer.Errorf(deployer.ErrUnavailable, "list processes: %w", err)
	}
	defer func() { _ = dir.Close() }() // it was only read
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, deployer.Errorf(deployer.ErrUnavailable, "list processes: %w", err)
	}
	var found []process
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		if p, ok := live(pid); ok {
			found = append(found, p)
		}
	}
	return found, nil
}

// signalGroup asks, or with force ends, all processes of a group. A group that is gone is no error.
func signalGroup(group int, force bool) {
	signal := syscall.SIGTERM
	if force {
		signal = syscall.SIGKILL
	}
	if group > 1 {
		_ = syscall.Kill(-group, signal) // whether it worked, the process table tells
	}
}

// ticksPerSecond is what the kernel reports to programs on every architecture Go runs on.
const ticksPerSecond = 100

// startTime is when a process began.
func startTime(p process) time.Time {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}
	}
	for line := range strings.Lines(string(stat)) {
		var boot int64
		if n, _ := fmt.Sscanf(line, "btime %d", &boot); n == 1 {
			return time.Unix(boot, 0).Add(time.Duration(p.start) * time.Second / ticksPerSecond).UTC()
		}
	}
	return time.Time{}
}

// ephemeral is the range the kernel takes ports of outgoing connections from.
func ephemeral() (low, high int) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return 0, 0
	}
	if n, _ := fmt.Sscan(string(text), &low, &high); n != 2 {
		return 0, 0
	}
	return low, high
}

// inGroup makes a process start in a control group.
func inGroup(cmd *exec.Cmd, dir string) (release func(), err error) {
	folder, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(folder.Fd())
	return func() { _ = folder.Close() }, nil // it was only pointed at
}
