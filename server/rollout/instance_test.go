package rollout_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/rollout"
)

// rowStore has deployments and nothing else.
type rowStore struct {
	rollout.Store
	ids []string
	err error
}

func (s rowStore) Deployments(_ context.Context, account string, ids []string) ([]skipper.Deployment, error) {
	var out []skipper.Deployment
	for _, id := range ids {
		if slices.Contains(s.ids, id) {
			out = append(out, skipper.Deployment{Account: account, DeploymentID: id})
		}
	}
	return out, s.err
}

// reachable is a platform whose only instance is ID-0.
type reachable struct {
	deployer.Deployer
	err error
}

func (p reachable) Instance(_ context.Context, h deployer.Handle, guid string) (*url.URL, http.Header, error) {
	if p.err != nil {
		return nil, nil, p.err
	}
	if guid != h.ID+"-0" {
		return nil, nil, deployer.Errorf(deployer.ErrNotFound, "no such instance")
	}
	return &url.URL{Scheme: "http", Host: h.ID}, http.Header{"Authorization": {"Basic x"}}, nil
}

// unreachable is a platform that is no deployer.Actuator.
type unreachable struct{ deployer.Deployer }

func (unreachable) Type() string { return "moon" }

func TestInstance(t *testing.T) {
	t.Parallel()
	// ping was carried over from version 1.
	rel := skipper.Release{Name: "duo", Version: 2, PlatformName: "default", Apps: []skipper.AppDeployment{
		{App: "ping", ID: "duo.ping-v1"}, {App: "pong", ID: "duo.pong-v2"}, {App: "gone", ID: "duo.gone-v2"},
	}}
	store := rowStore{ids: []string{"duo.ping-v1", "duo.pong-v2"}}
	for name, tc := range map[string]struct {
		platform deployer.Deployer
		store    rowStore
		id, guid string
		code     skipper.Code // empty: found
		message  string
	}{
		"found":        {reachable{}, store, "duo.pong-v2", "duo.pong-v2-0", "", ""},
		"carried over": {reachable{}, store, "duo.ping-v1", "duo.ping-v1-0", "", ""},
		"of another":   {reachable{}, store, "solo.ping-v1", "x", skipper.CodeNotFound, "app solo.ping-v1 is not found in release duo"},
		"by app name":  {reachable{}, store, "ping", "x", skipper.CodeNotFound, "app ping is not found in release duo"},
		"no instance": {
			reachable{},
			store, "duo.ping-v1", "duo.ping-v1-9", skipper.CodeNotFound,
			"App with deploymentId duo.ping-v1 and guid duo.ping-v1-9 not deployed",
		},
		"no deployment": {
			reachable{},
			store, "duo.gone-v2", "g", skipper.CodeNotFound,
			"App with deploymentId duo.gone-v2 and guid g not deployed",
		},
		"no actuators": {
			unreachable{},
			store, "duo.ping-v1", "g", skipper.CodeUnsupported,
			`platform "default" (moon) cannot reach the actuator of an application`,
		},
		"platform away": {
			reachable{err: deployer.Errorf(deployer.ErrUnavailable, "no network")},
			store, "duo.ping-v1", "g",
			skipper.CodeUnavailable, `platform "default" cannot be asked now: no network`,
		},
		"not of us": {
			reachable{err: deployer.Errorf(deployer.ErrExists, "another installation's")},
			store, "duo.ping-v1", "g",
			skipper.CodeConflict, "instance g cannot be reached: another installation's",
		},
		"no store": {reachable{}, rowStore{err: errors.New("gone")}, "duo.ping-v1", "g", skipper.CodeInternal, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			roll := rollout.New(tc.store, deployer.Accounts{{Name: "default", Deployer: tc.platform}}, rollout.Config{}, time.Now, nil)
			base, headers, err := roll.Instance(t.Context(), rel, tc.id, tc.guid)
			if tc.code == "" {
				require.NoError(t, err)
				require.Equal(t, "http://"+tc.id, base.String())
				require.Equal(t, "Basic x", headers.Get("Authorization"))
				return
			}
			require.Equal(t, tc.code, skipper.CodeOf(err))
			if tc.message != "" {
				require.Equal(t, tc.message, skipper.MessageOf(err))
			}
		})
	}
}

func TestInstance_OnAPlatformThatIsNotConfigured(t *testing.T) {
	t.Parallel()
	rel := skipper.Release{PlatformName: "nope", Apps: []skipper.AppDeployment{{App: "ping", ID: "duo.ping-v1"}}}
	roll := rollout.New(rowStore{}, nil, rollout.Config{}, time.Now, nil)
	_, _, err := roll.Instance(t.Context(), rel, "duo.ping-v1", "g")
	require.ErrorContains(t, err, "No deployer named 'nope'")
}
