package cli

import (
	"context"
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

// watch is something that is waited for.
type watch struct {
	what   string                                // as "install of hello"
	name   string                                // of the release
	stands string                                // what is true when nobody waits any more
	limit  func() time.Duration                  // how long; asked anew after each look
	look   func(context.Context) (string, error) // says what is still to come; empty at the end
}

// wait looks again and again until all is done, and tells each change of what is still to come. A server that is
// restarted meanwhile is waited for: it goes on where it was.
func (c *cli) wait(ctx context.Context, w watch) error {
	start := c.Clock()
	p := progress{out: c.Err, inPlace: c.IsTTY}
	defer p.end()
	for {
		pending, err := w.look(ctx)
		if skipper.CodeOf(err) == skipper.CodeUnavailable {
			pending, err = "the server gives no answer", nil
		}
		elapsed := c.Clock().Sub(start)
		switch {
		case ctx.Err() != nil:
			return skipper.Errorf(skipper.CodeCancelled, "stopped waiting; %s: "+
				"'skiff release status %s' shows how it is", w.stands, w.name)
		case err != nil || pending == "":
			return err
		case elapsed >= w.limit():
			return skipper.Errorf(skipper.CodeTimeout, "%s, but %s were not enough: %s; "+
				"'skiff release status %s' shows more", w.stands, w.limit(), pending, w.name)
		}
		p.show(w.what+": "+pending, elapsed)
		select {
		case <-ctx.Done():
		case <-c.after(pollPeriod):
		}
	}
}

// unhealthy says which applications of a release are not deployed yet. One that failed is an error.
func unhealthy(ctx context.Context, s *client.Client, release skipper.Release) (string, error) {
	info, err := s.Status(ctx, release.Name, release.Version)
	if err != nil {
		return "", err
	}
	code := info.Status.StatusCode
	if code == skipper.StatusFailed || code == skipper.StatusDeleted {
		return "", failuref("install of %s ended as %s: %s", release.Name, code, info.Description)
	}
	apps := info.Status.AppStatuses()
	if len(apps) == 0 {
		return "the platform has not told anything yet", nil
	}
	pending := []string{}
	for _, app := range apps {
		switch app.State {
		case skipper.StateDeployed:
		case skipper.StateFailed:
			return "", appFailed(ctx, s, release, app)
		default:
			pending = append(pending, app.DeploymentID+" is "+string(app.State))
		}
	}
	return strings.Join(pending, ", "), nil
}

// appFailed names the application that failed, and as the reason what the platform and the end of its log say.
func appFailed(ctx context.Context, s *client.Client, release skipper.Release, app skipper.AppStatus) error {
	reason := ""
	for _, id := range slices.Sorted(maps.Keys(app.Instances)) {
		if said := why(app.Instances[id].Attributes); said != "" {
			reason = "instance " + id + ": " + said + "; "
			break
		}
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

// follow waits until an operation has ended; an end other than success is an error.
func (c *cli) follow(
	ctx context.Context, s *client.Client, what string, release skipper.Release, operation string,
) error {
	if operation == "" {
		return skipper.Errorf(skipper.CodeUnsupported,
			"the server names no operation to wait for; 'skiff release status %s' shows how it is", release.Name)
	}
	var o skipper.Operation
	w := watch{what: what, name: release.Name, stands: "the " + what + " goes on at the server"}
	w.limit = func() time.Duration { return patienceFor(o.Plan) }
	w.look = func(ctx context.Context) (string, error) {
		now, err := s.Operation(ctx, operation)
		if err != nil {
			return "", err
		}
		if o = now; !o.Unfinished() {
			return "", nil
		}
		return doing(o.State), nil
	}
	err := c.wait(ctx, w)
	if err != nil || o.Outcome == skipper.OutcomeSucceeded {
		return err
	}
	cause := reason(ctx, s, release, o)
	if seen := lastSeen(ctx, s, operation); seen != "" && o.Outcome != skipper.OutcomeCancelled {
		cause = strings.TrimSuffix(cause, ".") + "; last seen: " + seen
	}
	return because(ended(what, o, cause), o)
}

// patienceFor gives an operation more time than it may take.
func patienceFor(plan skipper.Plan) time.Duration {
	milliseconds := max(defaultPatience.Milliseconds(), min(plan.Timeout, maxTimeout.Milliseconds()))
	return removalPatience + time.Duration(milliseconds)*time.Millisecond
}

// doing says what an operation does in a state. Waiting and checking alternate, so they read the same.
func doing(state skipper.State) string {
	steps := []struct {
		sentence string
		states   []skipper.State
	}{
		{"it waits for another operation on the release", []skipper.State{skipper.StateQueued}},
		{"the applications are not healthy yet", []skipper.State{skipper.StateInstallWait}},
		{"applications are handed to the platform", []skipper.State{skipper.StateInstall, skipper.StateUpgradeDeploy}},
		{"the new applications are not healthy yet", []skipper.State{skipper.StateUpgradeWait, skipper.StateUpgradeCheck}},
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
func reason(ctx context.Context, s *client.Client, release skipper.Release, o skipper.Operation) string {
	if o.Error != nil && o.Error.Message != "" {
		return o.Error.Message
	}
	if info, err := s.Status(ctx, release.Name, release.Version); err == nil && info.Description != "" {
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
