package release_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/manifest"
	"github.com/skiff-project/skiff/pkg/skipper"
)

const (
	bigPing = "ping: {spec: {applicationProperties: {size: big}}}"
	bigPong = "pong: {spec: {applicationProperties: {size: big}}}"
)

// properties gives the application properties of an application of a release.
func properties(t *testing.T, rel skipper.Release, app string) map[string]string {
	t.Helper()
	return application(t, rel, app).ApplicationProperties.Map()
}

func application(t *testing.T, rel skipper.Release, name string) manifest.Application {
	t.Helper()
	apps, _, err := manifest.Parse(rel.Manifest.Data)
	require.NoError(t, err)
	for _, a := range apps {
		if a.Name == name {
			return a
		}
	}
	require.Fail(t, "there is no application "+name)
	return manifest.Application{}
}

func TestUpgrade_PlansWhatChanged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	b.now = b.now.Add(time.Hour)
	rel, op, err := b.Upgrade(t.Context(), upgradeRequest("r", "pair", "1.0.0", bigPong))
	require.NoError(t, err)
	require.Equal(t, 2, rel.Version)
	accepted, made := b.ops.last()
	require.Equal(t, op.ID, accepted.ID)
	require.Equal(t, skipper.KindUpgrade, accepted.Kind)
	require.Equal(t, skipper.StateUpgradeStart, accepted.State)
	require.Equal(t, 1, accepted.SourceVersion)
	require.Equal(t, 2, accepted.TargetVersion)
	require.Equal(t, skipper.Plan{Account: "default", Apps: []string{"pong"}, Timeout: 300_000}, accepted.Plan)
	require.Equal(t, "Upgrade install underway", made.Info.Description)
	require.Equal(t, skipper.StatusUnknown, made.Info.Status.StatusCode)
	require.Equal(t, b.now, made.Info.FirstDeployed.Time)
	require.Equal(t, "big", properties(t, made, "pong")["size"])
	require.Equal(t, "small", properties(t, made, "ping")["size"])
}

func TestUpgrade_Timeout(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	const most = 30 * 24 * 3600 * 1000
	for i, ms := range []int64{0, 1500, most} {
		req := upgradeRequest("r", "pair", "1.0.0", "ping: {spec: {applicationProperties: {try: "+strconv.Itoa(i)+"}}}")
		req.Timeout = &ms
		_, _, err := b.Upgrade(t.Context(), req)
		require.NoError(t, err)
		op, _ := b.ops.last()
		require.Equal(t, ms, op.Plan.Timeout)
	}
	for _, ms := range []int64{-1, most + 1, math.MaxInt64} {
		req := upgradeRequest("r", "pair", "1.0.0", bigPing)
		req.Timeout = &ms
		_, _, upgrade := b.Upgrade(t.Context(), req)
		_, _, rollback := b.Rollback(t.Context(), skipper.RollbackRequest{ReleaseName: "r", Version: new(0), Timeout: &ms})
		for _, err := range []error{upgrade, rollback} {
			requireError(t, err, skipper.CodeInvalid,
				fmt.Sprintf("timeout is %d; milliseconds from 0 to 2592000000 are due", ms))
		}
	}
}

func TestUpgrade_Refusals(t *testing.T) {
	t.Parallel()
	type request = skipper.UpgradeRequest
	for name, test := range map[string]struct {
		change  func(*request)
		code    skipper.Code
		message string
	}{
		"no difference": {
			func(*request) {}, skipper.CodeReleaseUpgrade,
			"Package to upgrade has no difference than existing deployed/deleted package. Not upgrading.",
		},
		"no such release": {
			func(r *request) { r.UpgradeProperties.ReleaseName = "nope" },
			skipper.CodeReleaseNotFound, "Release with the name [nope] doesn't exist",
		},
		"no such package": {
			func(r *request) { r.PackageIdentifier.PackageName = "nope" },
			skipper.CodeConflict, "Can not find package 'nope', version '1.0.0'",
		},
		"no such version": {
			func(r *request) { r.PackageIdentifier.PackageVersion = "9.9.9" },
			skipper.CodeConflict, "Can not find package 'pair', version '9.9.9'",
		},
		"no identifier": {
			func(r *request) { r.PackageIdentifier = nil }, skipper.CodeConflict, "Package identifier must not be null",
		},
		"empty package": {
			func(r *request) { r.PackageIdentifier.PackageName = " " }, skipper.CodeConflict, "Package name must not be empty",
		},
		"no properties": {
			func(r *request) { r.UpgradeProperties = nil }, skipper.CodeInvalid, "Upgrade properties must not be null",
		},
		"empty object": {
			func(r *request) { *r = request{} }, skipper.CodeInvalid, "Upgrade properties must not be null",
		},
		"empty release": {
			func(r *request) { r.UpgradeProperties.ReleaseName = "" }, skipper.CodeConflict, "Release name must not be empty",
		},
		"values a string": {
			func(r *request) { r.UpgradeProperties.ConfigValues.Raw = new("just text") },
			skipper.CodeConflict, "Was expecting override values to produce a Map, instead got class = " +
				"class java.lang.StringoverrideValues.getRaw() = just text",
		},
		"no resource": {
			func(r *request) { r.UpgradeProperties.ConfigValues.Raw = new("ping: {resource: /app}") },
			skipper.CodeConflict, "Could not load Resource /app. Message = a scheme (prefix) is required",
		},
		"unknown kind": {
			func(r *request) { r.PackageIdentifier.PackageName = "badkind" },
			skipper.CodeConflict, "No release manager available for 'ConfigMap'",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.pair("1.0.0")
			b.single("badkind", "kind: ConfigMap\nmetadata: {name: a}\n")
			b.install(smallPair)
			req := upgradeRequest("r", "pair", "1.0.0", "")
			test.change(&req)
			_, _, err := b.Upgrade(t.Context(), req)
			requireError(t, err, test.code, test.message)
			require.Equal(t, []skipper.StatusCode{skipper.StatusDeployed}, b.versions())
		})
	}
}

// Another operation is told of before anything else is looked at, and which one it is.
func TestCommands_AreRefusedWhileAnotherOperationRuns(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	running := b.busy(skipper.KindUpgrade, skipper.StateUpgradeWait)
	nope := upgradeRequest("r", "nope", "1.0.0", "")
	_, _, upgrade := b.Upgrade(t.Context(), nope)
	_, _, rollback := b.Rollback(t.Context(), skipper.RollbackRequest{ReleaseName: "r", Version: new(9)})
	_, _, remove := b.Delete(t.Context(), "r", true)
	_, _, scale := b.Scale(t.Context(), "r", skipper.ScaleRequest{})
	for event, err := range map[string]error{"UPGRADE": upgrade, "ROLLBACK": rollback, "DELETE": remove, "SCALE": scale} {
		requireError(t, err, skipper.CodeBusy, "Statemachine is not in state ready to do "+event)
		busy, ok := errors.AsType[*skipper.Error](err)
		require.True(t, ok)
		require.Equal(t, running.ID, busy.OperationID)
	}
	_, _, err := b.Install(t.Context(), installRequest("r", "pair", "1.0.0", ""))
	requireError(t, err, skipper.CodeConflict, "Release with the name [r] already exists and it is not deleted.")
}

func TestUpgrade_ValuesMergeOntoTheLatest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("ping: {spec: {applicationProperties: {a: 1, b: 1}}}")
	b.upgrade("ping: {spec: {applicationProperties: {b: 2, c: 2}}}")
	op, made := b.ops.last()
	require.Equal(t, []string{"ping"}, op.Plan.Apps)
	require.Equal(t, map[string]string{"a": "1", "b": "2", "c": "2", "size": "small"}, properties(t, made, "ping"))

	b.failedUpgrade("ping: {spec: {applicationProperties: {bad: x}}}")
	b.upgrade("ping: {spec: {applicationProperties: {d: 4}}}")
	op, made = b.ops.last()
	require.Equal(t, 2, op.SourceVersion, "compared with the version that stands")
	require.Equal(t, 4, op.TargetVersion)
	require.Equal(t, map[string]string{"a": "1", "b": "2", "c": "2", "bad": "x", "d": "4", "size": "small"},
		properties(t, made, "ping"), "as in Skipper, values of a failed version stay")
	require.Equal(t, []skipper.StatusCode{
		skipper.StatusDeleted, skipper.StatusDeleted, skipper.StatusFailed, skipper.StatusDeployed,
	}, b.versions())
}

func TestUpgrade_BlankValuesDropOverrides(t *testing.T) {
	t.Parallel()
	for _, blank := range []*skipper.ConfigValues{nil, {}, {Raw: new("")}, {Raw: new(" \n")}, {Raw: new("# none\n")}} {
		b := setup(t)
		b.pair("1.0.0")
		b.install(bigPing)
		req := upgradeRequest("r", "pair", "1.0.0", "")
		req.UpgradeProperties.ConfigValues = blank
		_, _, err := b.Upgrade(t.Context(), req)
		require.NoError(t, err)
		_, made := b.ops.last()
		require.Nil(t, made.ConfigValues.Raw)
		require.Equal(t, "small", properties(t, made, "ping")["size"])
	}
}

func TestUpgrade_Force(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		values string
		apps   []string
		want   []string
	}{
		"all":               {"", nil, []string{"ping", "pong"}},
		"one":               {"", []string{"pong"}, []string{"pong"}},
		"one and a changed": {bigPing, []string{"pong"}, []string{"ping", "pong"}},
		"unknown":           {bigPing, []string{"nope"}, []string{"ping"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.pair("1.0.0")
			b.install("")
			req := upgradeRequest("r", "pair", "1.0.0", test.values)
			req.Force, req.AppNames = true, test.apps
			_, _, err := b.Upgrade(t.Context(), req)
			require.NoError(t, err)
			op, _ := b.ops.last()
			require.Equal(t, test.want, op.Plan.Apps)
		})
	}
}

func TestUpgrade_NamesWithoutForceAreIgnored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	req := upgradeRequest("r", "pair", "1.0.0", bigPing)
	req.AppNames = []string{"pong"}
	_, _, err := b.Upgrade(t.Context(), req)
	require.NoError(t, err)
	op, _ := b.ops.last()
	require.Equal(t, []string{"ping"}, op.Plan.Apps)
}

func TestUpgrade_ToAPackageWithOtherApplications(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.single("single", deployerApp("solo", "1.0.0"))
	b.install("")
	_, _, err := b.Upgrade(t.Context(), upgradeRequest("r", "single", "1.0.0", ""))
	require.NoError(t, err)
	op, _ := b.ops.last()
	require.Equal(t, []string{"solo"}, op.Plan.Apps)
	require.Equal(t, []string{"ping", "pong"}, op.Plan.Drop)
}

func TestUpgrade_KeepsTheCountsOfWhatRuns(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	b.platforms.instances = map[string]int{"ping": 3, "pong": 2}
	b.upgrade("ping: {spec: {applicationProperties: {size: big}, deploymentProperties: {spring.cloud.deployer.count: 7}}}")
	op, made := b.ops.last()
	require.Equal(t, []string{"ping"}, op.Plan.Apps)
	const key = "spring.cloud.deployer.count"
	require.Equal(t, "3", application(t, made, "ping").DeploymentProperties.Map()[key],
		"what runs, not what was asked for")
	require.NotContains(t, application(t, made, "pong").DeploymentProperties.Map(), key, "it is not replaced")
}

func TestUpgrade_OfAnApplicationWithoutInstancesIsNotScaledToNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	b.platforms.instances = map[string]int{"ping": 0}
	b.upgrade(bigPing)
	_, made := b.ops.last()
	require.NotContains(t, application(t, made, "ping").DeploymentProperties.Map(), "spring.cloud.deployer.count")
}

func TestUpgrade_WhosePlatformCannotSayWhatRuns(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	b.platforms.err = skipper.Errorf(skipper.CodeUnavailable, "gone")
	_, _, err := b.Upgrade(t.Context(), upgradeRequest("r", "pair", "1.0.0", bigPing))
	require.Equal(t, skipper.CodeUnavailable, skipper.CodeOf(err))
	require.ErrorContains(t, err, "how many instances of r run")
	require.Equal(t, []skipper.StatusCode{skipper.StatusDeployed}, b.versions())
}

// Nothing of a deleted release runs: all applications are deployed, also those that did not change.
func TestUpgrade_OfADeletedReleaseDeploysAll(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	b.delete()
	b.platforms.err = skipper.Errorf(skipper.CodeUnavailable, "must not be asked")
	b.upgrade(bigPong)
	op, made := b.ops.last()
	require.Equal(t, []string{"ping", "pong"}, op.Plan.Apps)
	require.Empty(t, op.Plan.Drop)
	require.Equal(t, 2, op.TargetVersion)
	require.NotContains(t, made.Manifest.Data, "spring.cloud.deployer.count")
	require.Zero(t, b.platforms.count())
}

// The release changes between the decision and its acceptance: it is decided again, on what is there then.
func TestAccept_DecidesAgainWhenTheReleaseChanged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	b.store.before = func() {
		b.store.before = nil
		b.upgrade("ping: {spec: {applicationProperties: {other: 1}}}")
	}
	b.upgrade(bigPong)
	op, made := b.ops.last()
	require.Equal(t, 2, op.SourceVersion)
	require.Equal(t, 3, op.TargetVersion)
	require.Equal(t, 3, made.Version)
	require.Equal(t, []string{"pong"}, op.Plan.Apps, "compared with version 2, ping is as it was")
	require.Equal(t, "1", properties(t, made, "ping")["other"], "merged onto version 2")
	require.Len(t, b.ops.accepted, 3)
}

func TestAccept_OfAReleaseThatVanishedMeanwhile(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	b.store.before = func() {
		b.store.before = nil
		b.delete()
		b.install("")
		b.delete()
	}
	_, _, err := b.Delete(t.Context(), "r", false)
	requireError(t, err, skipper.CodeReleaseNotFound, "Release with the name [r] doesn't exist")
}

func TestAccept_GivesUpWithTheRequest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	ctx, leave := context.WithCancel(t.Context())
	b.store.before = leave
	_, _, err := b.Upgrade(ctx, upgradeRequest("r", "pair", "1.0.0", bigPong))
	require.Equal(t, skipper.CodeCancelled, skipper.CodeOf(err), "%v", err)
}

func TestRollback_ToTheVersionBeforeSkipsWhatFailed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("ping: {spec: {applicationProperties: {size: one}}}")
	b.failedUpgrade("ping: {spec: {applicationProperties: {size: two}}}")
	b.upgrade("ping: {spec: {applicationProperties: {size: three}}}")
	rel, _, err := b.Rollback(t.Context(), skipper.RollbackRequest{
		ReleaseName: "r", Version: new(0), Timeout: new(int64(7)),
	})
	require.NoError(t, err)
	require.Equal(t, 4, rel.Version)
	op, made := b.ops.last()
	require.Equal(t, skipper.KindRollback, op.Kind)
	require.Equal(t, skipper.StateRollbackStart, op.State)
	require.Equal(t, 3, op.SourceVersion)
	require.Equal(t, skipper.Plan{Account: "default", Apps: []string{"ping"}, Timeout: 7}, op.Plan)
	require.Equal(t, "one", properties(t, made, "ping")["size"])
	require.Equal(t, "Rollback install underway", made.Info.Description)
}

func TestRollback_TakesPackageAndValuesOfTheVersion(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.pair("1.1.0")
	b.install("ping: {spec: {applicationProperties: {a: 1}}}")
	_, _, err := b.Upgrade(t.Context(), upgradeRequest("r", "pair", "1.1.0",
		"ping: {spec: {applicationProperties: {a: 2, b: 2}}}"))
	require.NoError(t, err)
	rel, _, err := b.Rollback(t.Context(), skipper.RollbackRequest{ReleaseName: "r", Version: new(1)})
	require.NoError(t, err)
	require.Equal(t, "1.0.0", rel.Pkg.Metadata.Version)
	require.Equal(t, map[string]string{"a": "1", "b": "2", "size": "small"}, properties(t, rel, "ping"),
		"as in Skipper, what was added since survives")
}

func TestRollback_OfADeletedReleaseInstalls(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install(bigPing)
	b.upgrade(bigPong)
	b.delete()
	rel, _, err := b.Rollback(t.Context(), skipper.RollbackRequest{ReleaseName: "r", Version: new(1)})
	require.NoError(t, err)
	require.Equal(t, 3, rel.Version)
	op, made := b.ops.last()
	require.Equal(t, skipper.KindRollback, op.Kind)
	require.True(t, op.Plan.Install)
	require.Equal(t, "Initial install underway", made.Info.Description)
	require.Equal(t, bigPing, made.ConfigValues.Text())
	require.Equal(t, "small", properties(t, made, "pong")["size"], "nothing is merged into an install")
}

func TestRollback_ThatInstallsAndFailsIsAnError(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install(bigPing)
	b.delete()
	b.ops.end = func(op skipper.Operation) skipper.Advance {
		op.Outcome, op.Error = skipper.OutcomeFailed, &skipper.OperationError{Code: skipper.CodeConflict, Message: "refused"}
		return skipper.Advance{Operation: op, Release: []skipper.ReleaseChange{{Name: "r", Version: 2, Remove: true}}}
	}
	_, op, err := b.Rollback(t.Context(), skipper.RollbackRequest{ReleaseName: "r", Version: new(1)})
	requireError(t, err, skipper.CodeConflict, "refused")
	require.Equal(t, skipper.OutcomeFailed, op.Outcome)
}

func TestRollback_Refusals(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		request skipper.RollbackRequest
		code    skipper.Code
		message string
	}{
		"to previous when there is none": {
			skipper.RollbackRequest{ReleaseName: "r", Version: new(0)},
			skipper.CodeReleaseNotFound, "Release with the name [r] doesn't exist",
		},
		"no such release": {
			skipper.RollbackRequest{ReleaseName: "nope", Version: new(1)},
			skipper.CodeReleaseNotFound, "Release with the name [nope] doesn't exist",
		},
		"no such version": {
			skipper.RollbackRequest{ReleaseName: "r", Version: new(9)},
			skipper.CodeReleaseNotFound, "Release with the name [r] and version [9] doesn't exist",
		},
		"to one that failed": {
			skipper.RollbackRequest{ReleaseName: "r", Version: new(2)},
			skipper.CodeConflict, "Rollback version should either be in deployed or deleted status.",
		},
		"negative": {
			skipper.RollbackRequest{ReleaseName: "r", Version: new(-1)},
			skipper.CodeConflict, "Rollback version can not be less than zero.  Value = -1",
		},
		"no name": {
			skipper.RollbackRequest{Version: new(1)}, skipper.CodeConflict, "Release name must not be empty",
		},
		"no version": {
			skipper.RollbackRequest{ReleaseName: "r"},
			skipper.CodeConflict, "Rollback version must not be null; 0 means the version before",
		},
		"to itself": {
			skipper.RollbackRequest{ReleaseName: "r", Version: new(1)},
			skipper.CodeReleaseUpgrade,
			"Package to upgrade has no difference than existing deployed/deleted package. Not upgrading.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.pair("1.0.0")
			b.install("")
			b.failedUpgrade(bigPing)
			_, _, err := b.Rollback(t.Context(), test.request)
			requireError(t, err, test.code, test.message)
			require.Equal(t, []skipper.StatusCode{skipper.StatusDeployed, skipper.StatusFailed}, b.versions())
		})
	}
}

func TestRollback_WithoutItsPackage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install("")
	b.delete()
	require.NoError(t, b.catalog.DeletePackage(t.Context(), "pair"))
	_, _, err := b.Rollback(t.Context(), skipper.RollbackRequest{ReleaseName: "r", Version: new(1)})
	requireError(t, err, skipper.CodeConflict, "Can not find package 'pair', version '1.0.0'")
}

func TestUpgrade_KeepsThePlatformOfTheRelease(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	req := installRequest("r", "pair", "1.0.0", "")
	req.InstallProperties.PlatformName = "b-second"
	_, _, err := b.Install(t.Context(), req)
	require.NoError(t, err)
	b.upgrade(bigPing)
	op, made := b.ops.last()
	require.Equal(t, "b-second", made.PlatformName)
	require.Equal(t, "b-second", op.Plan.Account)
	require.Contains(t, made.Manifest.Data, "big")
}
