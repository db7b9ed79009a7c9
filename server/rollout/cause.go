package rollout

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// Bounds of a cause: it is kept in a row, and its text comes from applications.
const (
	causeLines   = 50               // of log
	causeLine    = 500              // bytes of one
	causeLog     = 32 << 10         // bytes of each output stream that are looked at
	causeTimeout = 10 * time.Second // to ask a platform for them
)

// unwell is an application that is not deployed, with what its platform says of it.
type unwell struct {
	app    string
	status skipper.AppStatus
	why    string // when the platform could not be asked
}

// notDeployed gives what is not deployed of a release, in the order of its manifest.
func (r *Rollout) notDeployed(ctx context.Context, rel skipper.Release) ([]unwell, error) {
	apps, err := r.PlatformStatus(ctx, rel)
	if err != nil && fail(ctx, err) {
		return nil, err
	}
	var out []unwell
	if err != nil {
		for _, a := range rel.Apps {
			out = append(out, unwell{
				app: a.App, status: skipper.AppStatus{DeploymentID: a.ID}, why: "the platform could not be asked: " + err.Error(),
			})
		}
		return out, nil
	}
	for i, a := range apps {
		if a.State != skipper.StateDeployed {
			out = append(out, unwell{app: rel.Apps[i].App, status: a})
		}
	}
	return out, nil
}

// sentence says of each what it is instead; what is the same for all is said once.
func sentence(apps []unwell) string {
	var out []string
	for _, a := range apps {
		text := a.why
		if text == "" {
			text = a.status.DeploymentID + " is " + string(a.status.State) + reason(a.status)
		}
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return strings.Join(out, "; ")
}

// final says whether one of the applications has failed for good: all its instances have ended, and its platform will
// not start them again.
func final(apps []unwell) bool {
	return slices.ContainsFunc(apps, func(a unwell) bool {
		for _, i := range a.status.Instances {
			if i.State != skipper.StateFailed || i.Attributes[deployer.AttributeFinal] != "true" {
				return false
			}
		}
		return len(a.status.Instances) > 0
	})
}

// cause tells of the application that is worst off what its platform says, with the end of its log; nil for none.
func (r *Rollout) cause(ctx context.Context, account string, apps []unwell) *skipper.Cause {
	if len(apps) == 0 {
		return nil
	}
	a := slices.MinFunc(apps, func(a, b unwell) int { return rank(a.status.State) - rank(b.status.State) })
	c := &skipper.Cause{App: a.app, Reason: line(a.why)}
	if a.why != "" {
		return c // nor could its log be asked for
	}
	describe(c, a.status)
	c.Log = r.lastLines(ctx, account, a.status.DeploymentID)
	return c
}

// describe takes from the instance that is worst off.
func describe(c *skipper.Cause, a skipper.AppStatus) {
	if len(a.Instances) == 0 {
		c.Reason = "nothing of it is on the platform"
		return
	}
	c.Instance = slices.MinFunc(slices.Sorted(maps.Keys(a.Instances)), func(one, two string) int {
		return rank(a.Instances[one].State) - rank(a.Instances[two].State)
	})
	i := a.Instances[c.Instance]
	c.Reason = line(i.Attributes[deployer.AttributeReason])
	if c.Reason == "" {
		c.Reason = "it is " + string(i.State)
	}
	if code, err := strconv.Atoi(i.Attributes[deployer.AttributeExitCode]); err == nil {
		c.ExitCode = &code
	}
}

// rank orders states by how much they tell of a failure; of equal ones the first in the manifest counts.
func rank(state skipper.DeploymentState) int {
	order := []skipper.DeploymentState{
		skipper.StateFailed, skipper.StatePartial, skipper.StateError, skipper.StateUndeployed, skipper.StateUnknown,
		skipper.StateDeploying, skipper.StateDeployed,
	}
	return slices.Index(order, state)
}

// refusal is the cause where a platform refused an application; what it had started already may have logged why.
func (r *Rollout) refusal(ctx context.Context, op skipper.Operation, app, deploymentID string, why error) *skipper.Cause {
	return &skipper.Cause{App: app, Reason: line(why.Error()), Log: r.lastLines(ctx, op.Plan.Account, deploymentID)}
}

// lastLines gives the end of what a deployment logged; none where it cannot be had: that never changes an outcome.
func (r *Rollout) lastLines(ctx context.Context, account, deploymentID string) []string {
	ctx, cancel := context.WithTimeout(ctx, causeTimeout)
	defer cancel()
	text, err := r.log(ctx, account, deploymentID)
	if err != nil {
		return []string{line("the log could not be read: " + err.Error())}
	}
	return tail(text)
}

// log is empty of what the platform was never asked for.
func (r *Rollout) log(ctx context.Context, name, deploymentID string) (text string, err error) {
	account, err := r.accounts.Named(name)
	if err != nil {
		return "", err
	}
	handles, err := r.handles(ctx, name, []skipper.AppDeployment{{ID: deploymentID}})
	if err != nil || len(handles) == 0 || handles[0].Data == nil {
		return "", err
	}
	text, err = account.Deployer.Logs(ctx, handles[0], causeLog)
	if errors.Is(err, deployer.ErrNotFound) || errors.Is(err, deployer.ErrUnsupported) {
		return "", nil
	}
	return text, err
}

// stream is one output stream of one instance, as Skipper frames it.
type stream struct {
	name  string // stderr: or stdout:, empty before the first
	lines []string
}

func streams(text string) []stream {
	var out []stream
	for l := range strings.Lines(text) {
		l = line(l)
		if framed := l == "stderr:" || l == "stdout:"; framed {
			out = append(out, stream{name: l})
			continue
		} else if len(out) == 0 {
			out = append(out, stream{})
		}
		if last := &out[len(out)-1]; strings.TrimSpace(l) != "" {
			last.lines = append(last.lines, l)
		}
	}
	return out
}

// tail is the end of a log: of each stream as many lines as all of them may have, so that a long one does not hide what
// a short one says.
func tail(text string) []string {
	all := streams(text)
	var out []string
	for most := causeLines; most > 0; most-- {
		out = nil
		for _, s := range all {
			if s.name != "" && len(s.lines) > 0 {
				out = append(out, s.name)
			}
			out = append(out, s.lines[max(0, len(s.lines)-most):]...)
		}
		if len(out) <= causeLines {
			return out
		}
	}
	return out[len(out)-causeLines:]
}

// line is text that may have come from anywhere, on one line, in UTF-8, without what a terminal would obey, and bounded.
func line(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			return -1
		}
		return r
	}, strings.TrimRight(strings.ToValidUTF8(text, "\uFFFD"), "\r\n"))
	for len(text) > causeLine {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}

// failed is an operation's error with its cause.
func failed(err error, cause *skipper.Cause) *skipper.OperationError {
	out := operationError(err)
	out.Cause = cause
	return out
}
