package rollout

import (
	"context"
	"errors"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// wholeLog bounds what is read of each stream from a platform that only gives its logs whole.
const wholeLog = 1 << 20

// ReadLogs hands the lines of the applications of a release to emit: of one after the other or, when they are followed,
// of all at once, in which case emit is called from several goroutines. It ends as deployer.LogReader says. CodeNotFound
// names an instance that is not there.
func (r *Rollout) ReadLogs(ctx context.Context, rel skipper.Release, q skipper.LogQuery,
	emit func(skipper.LogLine) error,
) error {
	account, err := r.accounts.Named(rel.PlatformName)
	if err != nil {
		return err
	}
	var wanted []skipper.AppDeployment
	for _, a := range rel.Apps {
		whole := q.DeploymentID == "" || strings.EqualFold(a.ID, q.DeploymentID)
		if whole && (q.Instance == "" || len(rel.Apps) == 1 || strings.HasPrefix(q.Instance, a.ID)) {
			wanted = append(wanted, a)
		}
	}
	handles, err := r.handles(ctx, account.Name, wanted)
	if err != nil {
		return err
	}
	if len(handles) == 0 && q.Instance != "" {
		return skipper.Errorf(skipper.CodeNotFound, "release %s has no instance %s", rel.Name, q.Instance)
	}
	group, ctx := errgroup.WithContext(ctx)
	if !q.Follow {
		group.SetLimit(1)
	}
	for _, h := range handles {
		group.Go(func() error { return readLogs(ctx, account.Deployer, h, q, emit) })
	}
	return group.Wait()
}

func readLogs(ctx context.Context, d deployer.Deployer, h deployer.Handle, q skipper.LogQuery,
	emit func(skipper.LogLine) error,
) error {
	var stop error
	hand := func(l deployer.LogLine) error {
		line := skipper.LogLine{DeploymentID: h.ID, Instance: l.Instance, Stream: l.Stream, Text: l.Text}
		if !l.Time.IsZero() {
			line.Time = &l.Time
		}
		stop = emit(line)
		return stop
	}
	err := deployer.ErrUnsupported
	if reader, ok := d.(deployer.LogReader); ok {
		o := deployer.LogOptions{Instance: q.Instance, Tail: q.Tail, Since: q.Since, Follow: q.Follow}
		err = reader.ReadLogs(ctx, h, o, hand)
	}
	if stop == nil && errors.Is(err, deployer.ErrUnsupported) {
		err = readWhole(ctx, d, h, q, hand)
	}
	switch {
	case err == nil || stop != nil:
		return stop
	case errors.Is(err, deployer.ErrNotFound):
		return skipper.Errorf(skipper.CodeNotFound, "%w", err)
	}
	return logError(h, err)
}

// readWhole is for platforms that know neither lines nor instances: it takes the text apart that they give instead.
func readWhole(ctx context.Context, d deployer.Deployer, h deployer.Handle, q skipper.LogQuery,
	hand func(deployer.LogLine) error,
) error {
	if q.Follow || q.Instance != "" {
		return deployer.Errorf(deployer.ErrUnsupported, "this platform gives logs only whole: leave out follow and instance")
	}
	text, err := d.Logs(ctx, h, wholeLog)
	if err != nil || q.Tail < 0 || text == "" {
		return err
	}
	var lines []deployer.LogLine
	stream := "stdout"
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		if name, ok := strings.CutSuffix(line, ":"); ok && (name == "stdout" || name == "stderr") {
			stream = name
			continue
		}
		lines = append(lines, deployer.LogLine{Stream: stream, Text: line})
	}
	if q.Tail > 0 && len(lines) > q.Tail {
		lines = lines[len(lines)-q.Tail:]
	}
	for _, l := range lines {
		if err := hand(l); err != nil {
			return err
		}
	}
	return nil
}
