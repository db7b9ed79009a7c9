//go:build !unix

package resource

import (
	"errors"
	"io/fs"
	"os"
)

func tryLock(*os.File, bool) (bool, error) { return false, errors.ErrUnsupported }

func identity(fs.FileInfo) string { return "" }
