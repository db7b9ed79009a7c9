package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// Logs joins the log files of all instances.
func (d *Deployer) Logs(_ context.Context, h deployer.Handle, limit int64) (string, error) {
	d.begin()
	rec, err := d.view(h, sync.OnceValues(processes))
	if err != nil || rec == nil || rec.InheritLogging {
		return "", err
	}
	var out strings.Builder
	for _, i := range rec.Instances {
		for _, stream := range []string{"stderr", "stdout"} {
			text, err := tail(rec.log(stream, i), limit)
			if err != nil {
				return "", deployer.Errorf(deployer.ErrUnavailable, "read the log of %s: %w", h.ID, err)
			}
			if strings.TrimSpace(text) != "" {
				out.WriteString(stream + ":\n" + text)
			}
		}
	}
	return out.String(), nil
}

// tail is the end of a file, from the first whole line of the last limit bytes on; a file that is not there is empty.
func tail(path string, limit int64) (string, error) {
	// The application can put anything in place of its log file; a pipe would hold us for ever.
	if kind, err := os.Lstat(path); err == nil && !kind.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a file", path)
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	} else if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	from := max(info.Size()-limit, 0)
	text, err := io.ReadAll(io.NewSectionReader(f, from, limit))
	if err != nil {
		return "", err
	}
	if _, rest, cut := bytes.Cut(text, []byte("\n")); cut && from > 0 {
		text = rest
	}
	return string(text), nil
}
