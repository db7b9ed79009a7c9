//go:build !unix

package deployertest

import "errors"

func lock(string) (unlock func(), err error) { return nil, errors.ErrUnsupported }
