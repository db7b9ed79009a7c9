package cli

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/skiff-project/skiff/pkg/client"
	"github.com/skiff-project/skiff/pkg/skipper"
)

const (
	pollPeriod = 500 * time.Millisecond
	// An operation removes applications after its health timeout; that may take a while too.
	removalPatience = 2 * time.Minute
)

// sight is what is seen of something that is waited for.
type sight struct {
	pending string // what is still to come; empty at the end
	apps    []appSight
}

// appSight is one application of it.
type appSight struct {
	id    string
	state skipper.DeploymentState
	why   string
}

// watch is something that is waited for.
type watch struct {
	what   string                               // as "install of hello"
	name   string                               // of the release
	stands string                               // what is true when nobody waits any more
	limit  func() time.Duration                 // how long; asked anew after each look
	look   func(context.Context) (sight, error) // what is seen now
	wake   <-chan struct{}                      // closed when it is worth to look at once; may be nil
	cancel func(context.Context) error          // ends what is waited for; nil: that is not possible
}

// finalError is an error of a look that another look cannot mend.
type finalError struct{ error }

// wait looks again and again until all is done, and tells each change of what is still to come. A server that is
// restarted meanwhile is waited for: it goes on where it was.
func (c *cli) wait(ctx context.Context, w watch) error {
	var start time.Time // when something was seen first: until then the server has its own time to answer
	p := c.progress()
	defer p.end()
	pressed, release := c.interrupts(w)
	defer release()
	for {
		seen, err := w.look(ctx)
		if final, ok := errors.AsType[finalError](err); ok {
			err = final.error
		} else if skipper.CodeOf(err) == skipper.CodeUnavailable && ctx.Err() == nil {
			seen, err = sight{pending: "the server gives no answer"}, nil
		}
		if start.IsZero() && seen.pending != unseen {
			start = c.Clock()
		}
		elapsed := c.Clock().Sub(start)
		switch {
		case ctx.Err() != nil:
			return w.stopped()
		case err != nil || seen.pending == "":
			return err
		case seen.pending != unseen && elapsed >= w.limit():
			return skipper.Errorf(skipper.CodeTimeout, "%s, but %s were not enough: %s; "+
				"'skiff release status %s' shows more", w.stands, w.limit(), seen.text(), w.name)
		}
		if seen.pending != unseen {
			p.show(w.what+": ", seen, elapsed)
		}
		select {
		case <-ctx.Done():
		case <-w.wake:
			w.wake = nil
		case <-pressed:
			p.end()
			if err := c.interrupted(ctx, w, pressed); err != nil {
				return err
			}
		case <-c.after(pollPeriod):
		}
	}
}

// unseen is still to come and not known better.
const unseen = "the server has not answered yet"

func (w watch) stopped() error {
	return skipper.Errorf(skipper.CodeCancelled, "stopped waiting; %s: 'skiff release status %s' shows how it is", w.stands, w.name)
}

// text says all that is seen in one line.
func (s sight) text() string {
	apps := []string{}
	for _, app := range s.apps {
		text := app.id + " is " + string(app.state)
		if app.why != "" {
			text += " (" + app.why + ")"
		}
		apps = append(apps, text)
	}
	if len(apps) == 0 {
		return s.pending
	}
	return s.pending + ": " + strings.Join(apps, ", ")
}

// interrupts has Ctrl-C sent here where somebody can be asked.
func (c *cli) interrupts(w watch) (pressed <-chan struct{}, release func()) {
	if !c.IsTTY || c.Interrupts == nil || w.cancel == nil {
		return nil, func() {}
	}
	return c.Interrupts()
}

// interrupted asks what Ctrl-C meant. A second one leaves.
func (c *cli) interrupted(ctx context.Context, w watch, pressed <-chan struct{}) error {
	if err := c.tell("\nCancel the %s (c), stop watching (s), or go on watching (Enter)? ", w.what); err != nil {
		return w.stopped()
	}
	answers := make(chan string, 1)
	go func() { answers <- c.answer() }()
	select {
	case <-ctx.Done():
		return w.stopped()
	case <-pressed:
		_ = c.tell("\n") // what is to be said follows
		return w.stopped()
	case answer := <-answers:
		switch strings.ToLower(answer) {
		case "c", "cancel":
			return w.cancel(ctx)
		case "s", "stop":
			return w.stopped()
		}
		return nil
	}
}

// unhealthy sees which applications of a release are not deployed yet. One that failed is an error.
func unhealthy(ctx context.Context, s *client.Client, release skipper.Release) (sight, error) {
	info, err := s.Status(ctx, release.Name, release.Version)
	if err != nil {
		return sight{}, err
	}
	code := info.Status.StatusCode
	if code == skipper.StatusFailed || code == skipper.StatusDeleted {
		return sight{}, failuref("install of %s ended as %s: %s", release.Name, code, info.Description)
	}
	apps := info.Status.AppStatuses()
	if len(apps) == 0 {
		return sight{pending: "the platform has not told anything yet"}, nil
	}
	seen := sight{apps: appSights(info.Status)}
	for _, app := range apps {
		switch app.State {
		case skipper.StateDeployed:
		case skipper.StateFailed:
			return sight{}, appFailed(ctx, s, release, app)
		default:
			seen.pending = "the applications are not healthy yet"
		}
	}
	return seen, nil
}

// appSights are the applications of a release with what their platform says of the first instance that is not well.
func appSights(status skipper.Status) []appSight {
	seen := []appSight{}
	for _, app := range status.AppStatuses() {
		seen = append(seen, appSight{app.DeploymentID, app.State, firstReason(app)})
	}
	return seen
}

func firstReason(app skipper.AppStatus) string {
	for _, id := range slices.Sorted(maps.Keys(app.Instances)) {
		if said := why(app.Instances[id].Attributes); said != "" && app.Instances[id].State != skipper.StateDeployed {
			return "instance " + id + ": " + said
		}
	}
	return ""
}

// appFailed names the application that failed, and as the reason what the platform and the end of its log say.
func appFailed(ctx context.Context, s *client.Client, release skipper.Release, app skipper.AppStatus) error {
	reason := firstReason(app)
	if reason != "" {
		reason += "; "
	}
	return failuref("application %s of %s failed; %s%s; 'skiff release logs %s' shows all of it",
		app.DeploymentID, release.Name, reason, logEnd(ctx, s, release.Name, app.DeploymentID), release.Name)
}

func logEnd(ctx context.Context, s *client.Client, name, deploymentID string) string {
	logs, err := s.Logs(ctx, name)
	if err != nil {
		return "its log cannot be read"
	}
	lines := strings.Split(strings.TrimSpace(logs.Logs[deploymentID]), "\n")
	last := lines[len(lines)-1]
	if last == "" {
		return "its log is empty"
	}
	return "its log ends with: " + last
}

// patienceFor gives an operation more time than it may take.
func patienceFor(plan skipper.Plan) time.Duration {
	milliseconds := max(defaultPatience.Milliseconds(), min(plan.Timeout, maxTimeout.Milliseconds()))
	return removalPatience + time.Duration(milliseconds)*time.Millisecond
}

const unhealthyYet = "the new applications are not healthy yet"

// doing says what an operation does in a state. Waiting and checking alternate, so they read the same.
func doing(state skipper.State) string {
	steps := []struct {
		sentence string
		states   []skipper.State
	}{
		{"it waits for another operation on the release", []skipper.State{skipper.StateQueued}},
		{"the applications are not healthy yet", []skipper.State{skipper.StateInstallWait}},
		{"applications are handed to the platform", []skipper.State{skipper.StateInstall, skipper.StateUpgradeDeploy}},
		{unhealthyYet, []skipper.State{skipper.StateUpgradeWait, skipper.StateUpgradeCheck}},
		{"the replaced applications are removed", []skipper.State{skipper.StateUpgradeSucceed, skipper.StateUpgradeDelete}},
		{"the new applications are removed", []skipper.State{
			skipper.StateUpgradeFailed, skipper.StateUpgradeCancel, skipper.StateCompensate,
		}},
		{"the applications are removed", []skipper.State{skipper.StateDelete}},
	}
	for _, step := range steps {
		if slices.Contains(step.states, state) {
			return step.sentence
		}
	}
	return "it begins"
}

// reason says why an operation did not succeed: what it kept, else what the release says.
func reason(ctx context.Context, s *client.Client, o skipper.Operation) string {
	if o.Error != nil && o.Error.Message != "" {
		return o.Error.Message
	}
	if info, err := s.Status(ctx, o.ReleaseName, o.TargetVersion); err == nil && info.Description != "" {
		return info.Description
	}
	return "no reason is known"
}

// lastSeen says which applications were not healthy at the last check of an operation; empty when all were, and when
// none was checked.
func lastSeen(ctx context.Context, s *client.Client, operation string) string {
	events, err := s.Events(ctx, operation)
	if err != nil {
		return ""
	}
	for _, e := range slices.Backward(events) {
		switch {
		case e.From != skipper.StateUpgradeCheck:
		case e.Event == "HEALTHY":
			return ""
		default:
			return e.Message
		}
	}
	return ""
}

func ended(what string, o skipper.Operation, reason string) error {
	end := map[skipper.Outcome]string{
		skipper.OutcomeRolledBack: "failed and was rolled back", skipper.OutcomeCancelled: "was cancelled",
	}[o.Outcome]
	if end == "" {
		return failuref("the %s failed: %s", what, reason)
	}
	return failuref("the %s %s; version %d still runs: %s", what, end, o.SourceVersion, reason)
}
