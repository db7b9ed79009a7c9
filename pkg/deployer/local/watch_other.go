//go:build !linux

package local

import (
	"os"

	"github.com/skiff-project/skiff/pkg/deployer"
)

type watched struct{}

func watch(int) (*watched, error)      { return nil, deployer.ErrUnsupported }
func (*watched) wait() bool            { return false }
func (*watched) close()                {}
func (*watched) status(int) *exit      { return nil }
func zombie(int) *exit                 { return nil }
func lockFile(string) (*os.File, bool) { return nil, false }
