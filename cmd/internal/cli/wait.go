package cli

import (
	"context"
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
	what  string                                // as "install of hello"
	name  string                                // of the release
	limit func() time.Duration                  // how long; asked anew after each look
	look  func(context.Context) (string, error) // says what is still to come; empty at the end
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
			return skipper.Errorf(skipper.CodeCancelled, "stopped waiting; the %s goes on at the server: "+
				"'skiff release status %s' shows how it is", w.what, w.name)
		case err != nil || pending == "":
			return err
		case elapsed >= w.limit():
			return skipper.Errorf(skipper.CodeTimeout, "the %s is not done after %s, because %s; it goes on at the server: "+
				"'skiff release status %s' shows how it is", w.what, w.limit(), pending, w.name)
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

// appFailed names the application that failed, and the end of its log as the reason.
func appFailed(ctx context.Context, s *client.Client, release skipper.Release, app skipper.AppStatus) error {
	reason := "its log is empty"
	if logs, err := s.Logs(ctx, release.Name); err == nil {
		lines := strings.Split(strings.TrimSpace(logs.Logs[app.DeploymentID]), "\n")
		if last := lines[len(lines)-1]; last != "" {
			reason = "its log ends with: " + last
		}
	}
	return failuref("application %s of %s failed; %s; 'skiff release logs %s' shows all of it",
		app.DeploymentID, release.Name, reason, release.Name)
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
	w := watch{what: what, name: release.Name}
	w.limit = func() time.Duration {
		return removalPatience + max(defaultPatience, time.Duration(o.Plan.Timeout)*time.Millisecond)
	}
	w.look = func(ctx context.Context) (string, error) {
		now, err := s.Operation(ctx, operation)
		if err != nil {
			return "", err
		}
		if o = now; !o.Running() {
			return "", nil
		}
		return doing(o.State), nil
	}
	err := c.wait(ctx, w)
	if err != nil || o.Outcome == skipper.OutcomeSucceeded {
		return err
	}
	return ended(what, o, reason(ctx, s, release, o))
}

// doing says what an operation does in a state. Waiting and checking alternate, so they read the same.
func doing(state skipper.State) string {
	steps := []struct {
		sentence string
		states   []skipper.State
	}{
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

func ended(what string, o skipper.Operation, reason string) error {
	end := map[skipper.Outcome]string{
		skipper.OutcomeRolledBack: "failed and was rolled back", skipper.OutcomeCancelled: "was cancelled",
	}[o.Outcome]
	if end == "" {
		return failuref("the %s failed: %s", what, reason)
	}
	return failuref("the %s %s; version %d still runs: %s", what, end, o.SourceVersion, reason)
}
