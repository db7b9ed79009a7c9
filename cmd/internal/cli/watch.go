package cli

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/client"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// change is a command that changes a release.
type change struct {
	name        string // of the release
	verb        string // install, upgrade, …
	wait        waitOptions
	begun, done string // what is said before and after the end; both take name and version
	// send gives the release as it stands and the URL of the operation; a command that is queued has no release yet.
	send func(context.Context, skipper.CommandOptions) (skipper.Release, string, error)
}

// command sends a command and, where its end is waited for, shows what happens until then.
func (c *cli) command(ctx context.Context, s *client.Client, ch change) error {
	if !c.waits(ch) {
		release, operation, err := ch.send(ctx, ch.wait.options())
		if err != nil {
			return err
		}
		return c.accepted(ctx, s, ch, release, operation)
	}
	f := follower{s: s, ch: ch, options: ch.wait.options(), answered: make(chan struct{})}
	if f.options.IdempotencyKey == "" {
		f.options.IdempotencyKey = rand.Text() // by which the operation is found while the server works on its answer
	}
	sending, stop := context.WithCancel(ctx)
	go f.send(sending)
	err := c.wait(ctx, f.watch())
	stop()
	<-f.answered
	if err != nil {
		return err
	}
	return c.ended(ctx, s, ch, f)
}

// waits says whether the end of a change is waited for: as the line says, else where somebody watches. The server
// answers a delete and a scaling at their ends anyway.
func (c *cli) waits(ch change) bool {
	o := ch.wait
	return o.wait || !o.noWait && (c.IsTTY || ch.verb == "delete" || ch.verb == "scale")
}

// accepted says what became of a command whose end is not waited for.
func (c *cli) accepted(ctx context.Context, s *client.Client, ch change, release skipper.Release, operation string) error {
	if release.Name == "" {
		o, err := s.Operation(ctx, operation)
		if err != nil {
			return err
		}
		return c.show(o, func() error {
			return c.say("The %s of %s waits for its turn; 'skiff release watch %[2]s' shows it\n", ch.verb, ch.name)
		})
	}
	if c.Style != nil || release.Info.Status.StatusCode == skipper.StatusDeleted {
		return c.changed(release, ch.done)
	}
	return c.changed(release, ch.begun)
}

// ended says what became of a command, after the end of its operation.
func (c *cli) ended(ctx context.Context, s *client.Client, ch change, f follower) error {
	release := f.release
	if release.Name == "" {
		release.Name, release.Version = ch.name, f.operation.TargetVersion
	}
	if release.Info.Status.StatusCode == skipper.StatusDeleted {
		return c.changed(release, ch.done)
	}
	if ch.verb == "install" {
		if err := c.healthy(ctx, s, ch, release); err != nil {
			return err
		}
	}
	info, err := s.Status(ctx, release.Name, release.Version)
	if err != nil {
		return err
	}
	release.Info = info
	return c.changed(release, ch.done)
}

// healthy waits until all applications of an installed release run.
func (c *cli) healthy(ctx context.Context, s *client.Client, ch change, release skipper.Release) error {
	return c.wait(ctx, watch{
		what: "install of " + release.Name, name: release.Name,
		stands: "release " + release.Name + " is installed",
		limit:  func() time.Duration { return ch.wait.timeout },
		look:   func(ctx context.Context) (sight, error) { return unhealthy(ctx, s, release) },
		cancel: func(ctx context.Context) error { return c.removeInstalled(ctx, s, release) },
	})
}

// removeInstalled takes an install back whose operation has ended, though its applications do not run yet.
func (c *cli) removeInstalled(ctx context.Context, s *client.Client, release skipper.Release) error {
	if _, _, err := s.Delete(ctx, release.Name, false); err != nil {
		return err
	}
	return failuref("the install of %s was cancelled: it has been deleted", release.Name)
}

// changed shows a release as a command gave it; sentence takes its name and version.
func (c *cli) changed(release skipper.Release, sentence string) error {
	if release.Info.Status.StatusCode == skipper.StatusFailed {
		return failuref("version %d of %s failed: %s", release.Version, release.Name, release.Info.Description)
	}
	if !strings.Contains(sentence, "%d") {
		return c.show(release, func() error { return c.say(sentence, release.Name) })
	}
	return c.show(release, func() error { return c.say(sentence, release.Name, release.Version) })
}

// follower sends a command and sees what its operation does.
type follower struct {
	s       *client.Client
	ch      change
	options skipper.CommandOptions

	answered  chan struct{} // closed when release, url and err are what the server answered
	release   skipper.Release
	url       string // of the operation
	err       error
	operation skipper.Operation // as it was seen last
}

func (f *follower) send(ctx context.Context) {
	defer close(f.answered)
	f.release, f.url, f.err = f.ch.send(ctx, f.options)
}

func (f *follower) what() string { return f.ch.verb + " of " + f.ch.name }

func (f *follower) watch() watch {
	return watch{
		what: f.what(), name: f.ch.name, stands: "the " + f.what() + " goes on at the server",
		limit: func() time.Duration { return patienceFor(f.operation.Plan) },
		look:  f.look, wake: f.answered, cancel: f.cancel,
	}
}

// look sees the operation, which is known by its key until the server answered.
func (f *follower) look(ctx context.Context) (sight, error) {
	select {
	case <-f.answered:
		if f.err != nil {
			return sight{}, finalError{f.err} // of the change itself: nobody knows what there would be to wait for
		}
		if f.settled() {
			return sight{}, nil
		}
		if f.url == "" {
			return sight{}, skipper.Errorf(skipper.CodeUnsupported,
				"the server names no operation to wait for; 'skiff release status %s' shows how it is", f.ch.name)
		}
		return f.at(ctx, f.url)
	default:
	}
	if f.operation.ID == "" && !f.find(ctx) {
		return sight{pending: unseen}, nil
	}
	seen, err := f.at(ctx, f.operation.ID)
	if err != nil || seen.pending == "" { // how it ended is in the answer, which is on its way
		return sight{pending: unseen}, nil //nolint:nilerr // the answer says it better
	}
	return seen, nil
}

// settled says that the answer tells the end of the operation: an install and a delete are answered then.
func (f *follower) settled() bool {
	switch f.release.Info.Status.StatusCode {
	case skipper.StatusDeployed, skipper.StatusFailed:
		return f.ch.verb == "install"
	case skipper.StatusDeleted:
		return true
	case skipper.StatusUnknown:
	}
	return false
}

// find looks for the operation among those of the release; what hinders it will come as the answer.
func (f *follower) find(ctx context.Context) bool {
	operations, err := f.s.Operations(ctx, f.ch.name)
	if err != nil {
		return false
	}
	for _, o := range operations {
		if o.IdempotencyKey == f.options.IdempotencyKey {
			f.operation = o
			return true
		}
	}
	return false
}

func (f *follower) at(ctx context.Context, operation string) (sight, error) {
	now, err := f.s.OperationDetail(ctx, operation)
	if err != nil {
		return sight{}, err
	}
	f.operation = now.Operation
	seen, err := seeOperation(ctx, f.s, now.Operation, operation)
	if now.WaitsFor != "" && seen.pending != "" && !checksHealth(now.State) {
		seen.pending += ": " + now.WaitsFor
	}
	return seen, err
}

// seeOperation sees what an operation, known by its URL or id, does; an end other than success is an error.
func seeOperation(ctx context.Context, s *client.Client, o skipper.Operation, called string) (sight, error) {
	if o.Unfinished() {
		seen := sight{pending: doing(o.State)}
		if info, err := s.Status(ctx, o.ReleaseName, o.TargetVersion); o.Running() && err == nil {
			seen.apps = appSights(info.Status)
		}
		if seen.pending == unhealthyYet && len(seen.apps) > 0 && allDeployed(seen.apps) {
			seen.pending = "the new applications run; the next health check decides"
		}
		return seen, nil
	}
	if o.Outcome == skipper.OutcomeSucceeded {
		return sight{}, nil
	}
	cause := reason(ctx, s, o)
	if seen := lastSeen(ctx, s, called); seen != "" && o.Outcome != skipper.OutcomeCancelled {
		cause = strings.TrimSuffix(cause, ".") + "; last seen: " + seen
	}
	return sight{}, because(ended(string(o.Kind)+" of "+o.ReleaseName, o, cause), o)
}

// checksHealth says that the applications tell what an operation waits for in a state.
func checksHealth(state skipper.State) bool {
	return slices.Contains([]skipper.State{skipper.StateInstallWait, skipper.StateUpgradeWait, skipper.StateUpgradeCheck}, state)
}

func allDeployed(apps []appSight) bool {
	return !slices.ContainsFunc(apps, func(app appSight) bool { return app.state != skipper.StateDeployed })
}

// cancel asks the server to end the operation; how it ends is waited for then.
func (f *follower) cancel(ctx context.Context) error {
	if f.operation.ID == "" && !f.find(ctx) {
		return skipper.Errorf(skipper.CodeConflict, "the %s cannot be cancelled: the server has not begun it yet", f.what())
	}
	_, err := f.s.CancelOperation(ctx, f.operation.ID)
	if skipper.CodeOf(err) == skipper.CodeConflict {
		return nil // it has ended: that is seen next
	}
	return err
}

func newReleaseWatch(c *cli) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "watch [RELEASE]",
		Short: "Watch the operation that runs on a release until its end",
		Long: "Watch the operation that runs on a release, or waits for its turn, until its end. The exit code is that of\n" +
			"the operation: 0 when it succeeds, 1 when it fails, is rolled back or cancelled. When nothing runs it says how\n" +
			"the last operation ended, and the exit code is 0.",
		Example: "  skiff release watch hello",
		Args:    needing(positional("release-name"), "release-name"),
		RunE: c.asking(func(ctx context.Context, s *client.Client, _ []string) error {
			return c.watchRelease(ctx, s, name)
		}),
	}
	releaseName(cmd, &name)
	return cmd
}

func (c *cli) watchRelease(ctx context.Context, s *client.Client, name string) error {
	operations, err := s.Operations(ctx, name)
	if err != nil {
		return err
	}
	if len(operations) == 0 {
		return skipper.ReleaseNotFound(name, 0)
	}
	o := operations[0]
	for _, other := range operations {
		if other.Running() {
			o = other // a queued one comes after it
		}
	}
	if !o.Unfinished() {
		return c.show(o, func() error {
			return c.say("Nothing runs on %s. Its last operation, %s of version %d, %s %s.\n", name, o.Kind, o.TargetVersion,
				outcome(o.Outcome), c.moment(o.Updated))
		})
	}
	f := follower{s: s, ch: change{name: name, verb: string(o.Kind)}, url: o.ID, operation: o, answered: make(chan struct{})}
	close(f.answered)
	w := f.watch()
	w.wake = nil
	if err := c.wait(ctx, w); err != nil {
		return err
	}
	return c.show(f.operation, func() error {
		return c.say("The %s of %s succeeded. Now at version v%d.\n", f.operation.Kind, name, f.operation.TargetVersion)
	})
}

// outcome says how an operation ended, after its name.
func outcome(o skipper.Outcome) string {
	switch o {
	case skipper.OutcomeRolledBack:
		return "failed and was rolled back"
	case skipper.OutcomeCancelled:
		return "was cancelled"
	case skipper.OutcomeFailed, skipper.OutcomeSucceeded, skipper.OutcomeQueued, skipper.OutcomeRunning:
	}
	return string(o)
}
