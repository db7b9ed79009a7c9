package local

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// watched is a process held by a file descriptor of the kernel's (pidfd): its end wakes whoever waits, and its number
// cannot pass to another process meanwhile. Waiting needs no thread, so that a thousand processes cost none.
type watched struct {
	file *os.File
	raw  syscall.RawConn
}

// watch holds a process; an error also where the kernel has no such descriptors (before 5.3).
func watch(pid int) (*watched, error) {
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("hold process %d: %w", pid, err)
	}
	file := os.NewFile(uintptr(fd), "process "+strconv.Itoa(pid))
	raw, err := file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("hold process %d: %w", pid, err)
	}
	return &watched{file: file, raw: raw}, nil
}

// wait returns true when the process has ended; false when the descriptor was closed before.
func (w *watched) wait() bool {
	ended := false
	err := w.raw.Read(func(fd uintptr) bool {
		polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}} //nolint:gosec // a descriptor is small
		n, err := unix.Poll(polled, 0)
		ended = n > 0
		return ended || (err != nil && !errors.Is(err, unix.EINTR))
	})
	return err == nil && ended
}

func (w *watched) close() { _ = w.file.Close() }

// pidfdInfo is the kernel's struct pidfd_info of 64 bytes (Linux 6.13).
type pidfdInfo struct {
	mask, cgroup                       uint64
	pid, tgid, ppid                    uint32
	ruid, rgid, euid, egid, suid, sgid uint32
	fsuid, fsgid                       uint32
	exit                               int32
}

const (
	infoExit    = 1 << 3                                                // PIDFD_INFO_EXIT, since Linux 6.15
	getInfo     = 3<<30 | unsafe.Sizeof(pidfdInfo{})<<16 | 0xFF<<8 | 11 // PIDFD_GET_INFO
	statExit    = 49                                                    // field 52 of /proc/<pid>/stat, behind the name
	zombieState = "Z"
)

// status tells how a process that is not our child ended: while it waits to be reaped its entry in the process table
// does, afterwards its descriptor on newer kernels.
func (w *watched) status(pid int) *exit {
	if e := zombie(pid); e != nil {
		return e
	}
	info, ok := pidfdInfo{mask: infoExit}, false
	err := w.raw.Control(func(fd uintptr) {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, getInfo, uintptr(unsafe.Pointer(&info))) //nolint:gosec // as the kernel wants it
		ok = errno == 0 && info.mask&infoExit != 0
	})
	if !ok || err != nil {
		return nil
	}
	return exitOf(syscall.WaitStatus(info.exit)) //nolint:gosec // bits, not a number
}

func exitOf(status syscall.WaitStatus) *exit {
	if status.Signaled() {
		return &exit{Reason: "ended by signal: " + status.Signal().String()}
	}
	code := status.ExitStatus()
	return &exit{Code: &code, Reason: "exited with code " + strconv.Itoa(code)}
}

// zombie tells how a process ended that waits to be reaped; nil when it does not.
func zombie(pid int) *exit {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return nil
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) <= statExit || string(fields[0]) != zombieState {
		return nil
	}
	n, err := strconv.ParseUint(string(fields[statExit]), 10, 32)
	if err != nil {
		return nil
	}
	return exitOf(syscall.WaitStatus(n))
}

// lockFile takes a lock that ends with the process; false when another one has it.
func lockFile(path string) (*os.File, bool) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, false
	}
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		_ = f.Close()
		return nil, false
	}
	return f, true
}
