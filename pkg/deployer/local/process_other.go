//go:build !linux

package local

import (
	"os/exec"
	"syscall"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// bootID keeps New from making a deployer here, so that nothing below is ever called.
func bootID() (string, error) {
	return "", deployer.Errorf(deployer.ErrUnsupported, "the local platform needs Linux")
}

func apart() *syscall.SysProcAttr               { return nil }
func live(int) (process, bool)                  { return process{}, false }
func processes() ([]process, error)             { return nil, deployer.ErrUnsupported }
func signalGroup(int, bool)                     {}
func startTime(process) time.Time               { return time.Time{} }
func inGroup(*exec.Cmd, string) (func(), error) { return nil, deployer.ErrUnsupported }
func ephemeral() (low, high int)                { return 0, 0 }
