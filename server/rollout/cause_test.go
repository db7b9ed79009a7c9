package rollout_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/machine"
)

// causeOf lets an upgrade run out of time whose new application b has a script, and gives why it failed.
func causeOf(t *testing.T, script string, change func(b *bundle)) *skipper.Cause {
	t.Helper()
	b, op := handedOver(t, script)
	if change != nil {
		change(b)
	}
	b.now = op.Deadline
	res := b.step(op)
	require.Equal(t, machine.Timeout, res.Event)
	require.Equal(t, "Did not detect apps in replacing release as healthy after 60000 ms.", res.Error.Message)
	require.NotNil(t, res.Error.Cause)
	return res.Error.Cause
}

func TestCause_IsWhatThePlatformSays(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		script string
		change func(b *bundle)
		want   skipper.Cause
	}{
		"exited": {
			"fake.fail: true, fake.reason: exited with code 3, fake.exit-code: 3, fake.log: panic", nil,
			skipper.Cause{
				App: "b", Instance: "r.b-v2-0", Reason: "exited with code 3", ExitCode: new(3),
				Log: []string{"stdout:", "r.b-v2-0 started", "panic"},
			},
		},
		"exited with 0": {
			"fake.fail: true, fake.exit-code: 0", nil,
			skipper.Cause{
				App: "b", Instance: "r.b-v2-0", Reason: "scripted to fail", ExitCode: new(0),
				Log: []string{"stdout:", "r.b-v2-0 started"},
			},
		},
		"an exit code that is none": {
			"fake.fail: true, fake.exit-code: SIGKILL", nil,
			skipper.Cause{
				App: "b", Instance: "r.b-v2-0", Reason: "scripted to fail", Log: []string{"stdout:", "r.b-v2-0 started"},
			},
		},
		"gone": {
			"", func(b *bundle) {
				require.NoError(b.t, b.fake.Undeploy(b.t.Context(), deployer.Owner{}, deployer.Handle{ID: "r.b-v2"}))
			},
			skipper.Cause{App: "b", Reason: "nothing of it is on the platform"},
		},
		"what was carried over": {
			"fake.healthy-after: never", func(b *bundle) {
				require.NoError(b.t, b.fake.Undeploy(b.t.Context(), deployer.Owner{}, deployer.Handle{ID: "r.a-v1"}))
			},
			skipper.Cause{App: "a", Reason: "nothing of it is on the platform"},
		},
		"no log": {
			"fake.fail: true, fake.logs-error: unavailable", nil,
			skipper.Cause{
				App: "b", Instance: "r.b-v2-0", Reason: "scripted to fail",
				Log: []string{"the log could not be read: scripted: unavailable"},
			},
		},
		"a platform without logs": {
			"fake.fail: true, fake.logs-error: unsupported", nil,
			skipper.Cause{App: "b", Instance: "r.b-v2-0", Reason: "scripted to fail"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Empty(t, cmp.Diff(test.want, *causeOf(t, test.script, test.change)))
		})
	}
}

// Of several instances and applications it tells of the one that is worst off.
func TestCause_IsOfWhatFailed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.installed(1, app("a", "fake.healthy-after: never", ""), app("b", "fake.healthy-after: never", ""),
		app("c", "fake.fail: 1, fake.exit-code: 7", "spring.cloud.deployer.count: 3"))
	op := b.operation(skipper.KindUpgrade, skipper.StateUpgradeCheck, 1)
	op.Deadline = b.now
	cause := b.step(op).Error.Cause
	require.Equal(t, "c", cause.App)
	require.Equal(t, "r.c-v1-1", cause.Instance)
	require.Equal(t, 7, *cause.ExitCode)
}

func TestCause_IsBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 400)
	cause := causeOf(t, fmt.Sprintf(`fake.fail: true, fake.reason: %q, fake.log: %q`, long,
		strings.Repeat("one\n", 60)+long+"\n\n\x1b[31mred\u202e\r\n"+"last"), nil)
	require.Equal(t, strings.Repeat("é", 250), cause.Reason)
	require.Len(t, cause.Log, 50)
	require.Equal(t, []string{"one", strings.Repeat("é", 250), "[31mred", "last"}, cause.Log[46:])
}

// logger is a platform with a log of its own.
func logger(b *bundle, logs func(ctx context.Context) (string, error)) { b.fake.logs = logs }

func TestCause_TheLogIsReadOnceWithALimitOfTime(t *testing.T) {
	t.Parallel()
	asked := 0
	cause := causeOf(t, "fake.fail: true", func(b *bundle) {
		logger(b, func(ctx context.Context) (string, error) {
			asked++
			deadline, ok := ctx.Deadline()
			require.True(b.t, ok)
			require.LessOrEqual(b.t, time.Until(deadline), 10*time.Second)
			return "", deployer.Errorf(deployer.ErrUnavailable, "%w", context.DeadlineExceeded)
		})
	})
	require.Equal(t, 1, asked)
	require.Equal(t, []string{"the log could not be read: context deadline exceeded"}, cause.Log)
}

func TestCause_EachStreamHasItsEndShown(t *testing.T) {
	t.Parallel()
	chatty := "stdout:\n" + strings.Repeat("tick\n", 500)
	for name, test := range map[string]struct {
		log  string
		want int
		has  []string
	}{
		"empty":                {"", 0, nil},
		"no frame":             {"one\ntwo", 2, []string{"one", "two"}},
		"a short stderr":       {"stderr:\npanic\n" + chatty, 50, []string{"stderr:", "panic", "stdout:"}},
		"an empty stream":      {"stderr:\n\nstdout:\none\n", 2, []string{"stdout:", "one"}},
		"many instances":       {strings.Repeat(chatty, 10), 50, nil},
		"more than lines":      {strings.Repeat("stdout:\nx\n", 100) + "stdout:\nlast\n", 50, []string{"last"}},
		"bytes that are none":  {"a\xff\xfe\xffb\n", 1, []string{"a\uFFFDb"}},
		"a zero and a tab":     {"a\x00b\tc\n", 1, []string{"ab c"}},
		"cut in a character":   {strings.Repeat("a", 499) + "é\n", 1, []string{strings.Repeat("a", 499)}},
		"as long as it may be": {strings.Repeat("a", 500) + "\n", 1, []string{strings.Repeat("a", 500)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cause := causeOf(t, "fake.fail: true", func(b *bundle) {
				logger(b, func(context.Context) (string, error) { return test.log, nil })
			})
			require.LessOrEqual(t, len(cause.Log), 50)
			if name == "many instances" {
				require.Len(t, cause.Log, 50)
			} else {
				require.Len(t, cause.Log, test.want)
			}
			for _, l := range test.has {
				require.Contains(t, cause.Log, l)
			}
			for _, l := range cause.Log {
				require.LessOrEqual(t, len(l), 500)
				require.True(t, utf8.ValidString(l))
			}
		})
	}
}

// What another release has under the id is none of our business: its log is not shown.
func TestCause_OfAnIDOfAnotherRelease(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.version(1, skipper.StatusUnknown, app("ping", "", ""))
	b.store.wantedBy = "other"
	b.store.rows["r.ping-v1"] = skipper.Deployment{Account: "default", DeploymentID: "r.ping-v1", Handle: []byte(`{}`)}
	logger(b, func(context.Context) (string, error) { return "secret of another", nil })
	res := b.step(b.operation(skipper.KindInstall, skipper.StateInstall, 1))
	require.Equal(t, machine.Failed, res.Event)
	require.Equal(t, &skipper.Cause{App: "ping", Reason: `deployment "r.ping-v1" belongs to release "other"`}, res.Error.Cause)
}

// What was started before the platform refused may have said why.
func TestCause_OfARefusalHasTheLogOfWhatWasStarted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.version(1, skipper.StatusUnknown, app("ping", "fake.deploy-error: quota-done, fake.log: no memory", ""))
	res := b.step(b.operation(skipper.KindInstall, skipper.StateInstall, 1))
	require.Equal(t, machine.Failed, res.Event)
	require.Equal(t, &skipper.Cause{
		App: "ping", Reason: "scripted: quota-done", Log: []string{"stdout:", "r.ping-v1-0 started", "no memory"},
	}, res.Error.Cause)
}
