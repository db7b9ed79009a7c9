package deployer_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
)

func TestErrorf_KeepsTheKindOutOfTheSentence(t *testing.T) {
	t.Parallel()

	cause := errors.New("cause")
	err := fmt.Errorf("deploy: %w", deployer.Errorf(deployer.ErrQuota, "no port is free: %w", cause))

	require.ErrorIs(t, err, deployer.ErrQuota)
	require.ErrorIs(t, err, cause)
	require.EqualError(t, err, "deploy: no port is free: cause")
}

func TestRetry(t *testing.T) {
	t.Parallel()

	for err, want := range map[error]bool{
		nil: false, errors.New("unheard of"): true,
		deployer.ErrInvalid: false, deployer.ErrExists: false, deployer.ErrNotFound: false, deployer.ErrQuota: false,
		deployer.ErrDenied: false, deployer.ErrUnsupported: false,
		deployer.ErrUnavailable: true, deployer.ErrRateLimited: true, deployer.ErrAmbiguous: true,
	} {
		require.Equal(t, want, deployer.Retry(err), "%v", err)
	}
}

func TestSpecHash_SeesWhatIsAskedForAndNotWhose(t *testing.T) {
	t.Parallel()

	base := deployer.Request{Name: "log-v1", Properties: map[string]string{"a": "1", "b": "2"}, Count: 1}
	moved, changed := base, base
	moved.Owner.Account = "other"
	changed.Properties = map[string]string{"a": "1", "b": "3"}

	require.Equal(t, deployer.SpecHash(base), deployer.SpecHash(moved))
	require.NotEqual(t, deployer.SpecHash(base), deployer.SpecHash(changed))
}

func TestMegabytes(t *testing.T) {
	t.Parallel()

	for size, want := range map[string]int{"512": 512, "512m": 512, "512M": 512, "2g": 2048, "1G": 1024} {
		got, err := deployer.Megabytes(size)
		require.NoError(t, err)
		require.Equal(t, want, got, size)
	}
	for _, size := range []string{"", "m", "1.5g", "12k", "-1", " 1m"} {
		_, err := deployer.Megabytes(size)
		require.ErrorIs(t, err, deployer.ErrInvalid, size)
	}
}

// called is a platform that calls the server.
type called struct {
	deployer.Deployer

	bodies []string
}

func (*called) Type() string                { return "edgegap" }
func (*called) VerifyWebhook(s string) bool { return s == "right" }
func (c *called) Webhook(body []byte)       { c.bodies = append(c.bodies, string(body)) }

// silent is one that does not.
type silent struct{ deployer.Deployer }

func (silent) Type() string { return "local" }

func TestAccounts_WebhookOfTheRightAccountWithTheRightSecret(t *testing.T) {
	t.Parallel()

	c := &called{}
	accounts := deployer.Accounts{{Name: "live", Deployer: c}, {Name: "default", Deployer: silent{}}}
	for _, wrong := range [][3]string{
		{"edgegap", "live", "wrong"}, {"edgegap", "other", "right"}, {"local", "live", "right"}, {"local", "default", "right"},
	} {
		_, ok := accounts.Webhook(wrong[0], wrong[1], wrong[2])
		require.False(t, ok, wrong)
	}
	take, ok := accounts.Webhook("edgegap", "live", "right")
	require.True(t, ok)
	take([]byte("body"))
	require.Equal(t, []string{"body"}, c.bodies)
}
