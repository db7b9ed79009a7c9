package release_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

const smallPair = `ping: {spec: {applicationProperties: {size: small}}}`

func TestInstall_PlansAndKeepsAVersion(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.pair("1.0.0")
	rel, op, err := b.Install(t.Context(), installRequest("r", "pair", "", bigPing))
	require.NoError(t, err)
	require.Equal(t, skipper.OutcomeSucceeded, op.Outcome)
	require.Equal(t, skipper.StatusDeployed, rel.Info.Status.StatusCode)
	require.Equal(t, 1, b.ops.woken)

	accepted, made := b.ops.last()
	require.Equal(t, op.ID, accepted.ID)
	require.Empty(t, cmp.Diff(skipper.Operation{
		ID: op.ID, Kind: skipper.KindInstall, ReleaseName: "r", TargetVersion: 1, State: skipper.StateInstall,
		Outcome: skipper.OutcomeRunning, Account: "default", Plan: skipper.Plan{Account: "default"}, Retriable: true,
		Created: b.now, Updated: b.now, Due: b.now, Deadline: b.now.Add(time.Minute),
	}, accepted))
	require.Empty(t, cmp.Diff(skipper.Info{
		Status: skipper.Status{StatusCode: skipper.StatusUnknown}, Description: "Initial install underway",
		FirstDeployed: skipper.At(b.now), LastDeployed: skipper.At(b.now),
	}, made.Info))
	require.Equal(t, "default", made.PlatformName)
	require.Equal(t, m.ID, made.PackageID)
	require.Nil(t, made.Apps)
	require.Empty(t, cmp.Diff(m, made.Pkg.Metadata, cmpopts.IgnoreFields(skipper.PackageMetadata{}, "ID")))
	require.Equal(t, "big", properties(t, made, "ping")["size"])
	require.Equal(t, "small", properties(t, made, "pong")["size"])
}

func TestInstall_BlankValuesAreAnsweredAndNotKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	rel := b.install("  ")
	require.Equal(t, "  ", *rel.ConfigValues.Raw)
	kept, err := b.store.Release(t.Context(), "r", 1)
	require.NoError(t, err)
	require.Nil(t, kept.ConfigValues.Raw)
}

func TestInstall_Refusals(t *testing.T) {
	t.Parallel()
	type request = skipper.InstallRequest
	for name, test := range map[string]struct {
		change  func(*request)
		code    skipper.Code
		message string
	}{
		"same name": {
			func(r *request) { r.InstallProperties.ReleaseName = "r" },
			skipper.CodeConflict, "Release with the name [r] already exists and it is not deleted.",
		},
		"no such package": {
			func(r *request) { r.PackageIdentifier.PackageName = "nope" },
			skipper.CodeConflict, "Can not find package 'nope', version '1.0.0'",
		},
		"no such version": {
			func(r *request) { r.PackageIdentifier.PackageVersion = "9.9.9" },
			skipper.CodeConflict, "Can not find package 'pair', version '9.9.9'",
		},
		"no such package, no version": {
			func(r *request) { *r.PackageIdentifier = skipper.PackageIdentifier{PackageName: "nope"} },
			skipper.CodeConflict, "Can not find a package named 'nope'",
		},
		"no such platform": {
			func(r *request) { r.InstallProperties.PlatformName = "nope" }, skipper.CodeConflict, "No deployer named 'nope'",
		},
		"empty platform": {
			func(r *request) { r.InstallProperties.PlatformName = " " }, skipper.CodeConflict, "Platform name must not be empty",
		},
		"empty release": {
			func(r *request) { r.InstallProperties.ReleaseName = "" }, skipper.CodeConflict, "Release name must not be empty",
		},
		"empty package": {
			func(r *request) { r.PackageIdentifier.PackageName = "" }, skipper.CodeConflict, "Package name must not be empty",
		},
		"no identifier": {
			func(r *request) { r.PackageIdentifier = nil }, skipper.CodeConflict, "Package identifier must not be null",
		},
		"no properties": {
			func(r *request) { r.InstallProperties = nil }, skipper.CodeInvalid, "Install properties must not be null",
		},
		"values a list": {
			func(r *request) { r.InstallProperties.ConfigValues.Raw = new("- a\n- b\n") },
			skipper.CodeConflict, "Was expecting override values to produce a Map, instead got class = " +
				"class java.util.ArrayListoverrideValues.getRaw() = - a\n- b\n",
		},
		"values a string": {
			func(r *request) { r.InstallProperties.ConfigValues.Raw = new("just text") },
			skipper.CodeConflict, "Was expecting override values to produce a Map, instead got class = " +
				"class java.lang.StringoverrideValues.getRaw() = just text",
		},
		"unknown kind": {
			func(r *request) { r.PackageIdentifier.PackageName = "badkind" },
			skipper.CodeConflict, "No release manager available for 'ConfigMap'",
		},
		"bare package": {
			func(r *request) { r.PackageIdentifier.PackageName = "bare" },
			skipper.CodeConflict, "No release manager available for 'null'",
		},
		"no resource": {
			func(r *request) { r.InstallProperties.ConfigValues.Raw = new("ping: {resource: /app}") },
			skipper.CodeConflict, "Could not load Resource /app. Message = a scheme (prefix) is required",
		},
		"bad count": {
			func(r *request) {
				r.InstallProperties.ConfigValues.Raw = new(
					`ping: {spec: {deploymentProperties: {spring.cloud.deployer.count: many}}}`)
			},
			skipper.CodeConflict, `spring.cloud.deployer.count is "many"; a number of instances from 0 to 1000 is due`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.pair("1.0.0")
			b.single("badkind", "kind: ConfigMap\nmetadata: {name: a}\n")
			b.upload("bare", "1.0.0", map[string]string{})
			b.install(smallPair)
			req := installRequest("two", "pair", "1.0.0", "")
			test.change(&req)
			_, op, err := b.Install(t.Context(), req)
			requireError(t, err, test.code, test.message)
			require.Empty(t, op.ID)
			_, err = b.store.LatestRelease(t.Context(), "two")
			require.Equal(t, skipper.CodeReleaseNotFound, skipper.CodeOf(err), "nothing is left of it")
			require.Len(t, b.ops.accepted, 1)
		})
	}
}

// Where the reference hides the reason, status and class stay, and ours is a sentence that says it.
func TestInstall_RefusalsOfContentNameWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ pkg, values, message string }{
		"values not yaml":   {"pair", "a: [", "the values of the request are not valid YAML"},
		"missing variable":  {"missing", "", "nowhere"},
		"template not yaml": {"badyaml", "", "template t.yml"},
		"nameless":          {"nameless", "", "must define a 'name' property in the metadata"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.pair("1.0.0")
			b.single("missing", deployerApp("a", "{{nowhere}}"))
			b.single("badyaml", deployerApp("a", "1.0.0")+"  : [\n")
			b.single("nameless", "kind: SpringCloudDeployerApplication\nspec: {resource: 'file:///app'}\n")
			_, _, err := b.Install(t.Context(), installRequest("r", test.pkg, "1.0.0", test.values))
			require.Equal(t, skipper.CodeConflict, skipper.CodeOf(err), "%v", err)
			require.Contains(t, skipper.MessageOf(err), test.message)
			require.Empty(t, b.ops.accepted)
		})
	}
}

func TestInstall_Names(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	for _, name := range []string{"a/b", `a\b`, "a\nb", "a\x00b", "a\x7fb", strings.Repeat("n", 201)} {
		_, _, err := b.Install(t.Context(), installRequest(name, "pair", "1.0.0", ""))
		require.Equal(t, skipper.CodeConflict, skipper.CodeOf(err), "%q: %v", name, err)
		require.Contains(t, skipper.MessageOf(err), "Release name")
		_, _, err = b.InstallPackage(t.Context(), 1, skipper.InstallProperties{ReleaseName: name, PlatformName: "default"})
		require.Equal(t, skipper.CodeConflict, skipper.CodeOf(err), "%q: %v", name, err)
	}
	require.Empty(t, b.ops.accepted)
	for _, name := range []string{"größe", "a.b-c_d", "50%", strings.Repeat("n", 200)} {
		_, _, err := b.Install(t.Context(), installRequest(name, "pair", "1.0.0", ""))
		require.NoError(t, err, name)
	}
}

func TestInstallPackage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.pair("1.0.0")
	b.pair("2.0.0")
	props := skipper.InstallProperties{ReleaseName: "r", PlatformName: "default"}
	_, _, err := b.InstallPackage(t.Context(), 99999, skipper.InstallProperties{})
	requireError(t, err, skipper.CodeConflict, "Package with id='99999' can not be found.")
	_, _, err = b.InstallPackage(t.Context(), m.ID, skipper.InstallProperties{ReleaseName: "r"})
	requireError(t, err, skipper.CodeConflict, "Platform name must not be empty")
	_, _, err = b.InstallPackage(t.Context(), m.ID, skipper.InstallProperties{PlatformName: "default"})
	requireError(t, err, skipper.CodeConflict, "Release name must not be empty")
	rel, _, err := b.InstallPackage(t.Context(), m.ID, props)
	require.NoError(t, err)
	require.Equal(t, "1.0.0", rel.Pkg.Metadata.Version)
	require.Nil(t, rel.ConfigValues.Raw)
	_, _, err = b.InstallPackage(t.Context(), m.ID, props)
	requireError(t, err, skipper.CodeConflict, "Release with the name [r] already exists and it is not deleted.")
}

func TestInstall_OfANameThatWasUsed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.install(smallPair)
	b.failedUpgrade("ping: {x: 1}\nresource: file:///other\npong: {resource: 'file:///b'}")
	_, _, err := b.Install(t.Context(), installRequest("r", "pair", "1.0.0", ""))
	requireError(t, err, skipper.CodeConflict, "Release with the name [r] already exists and it is not deleted.")
	b.delete()
	require.Equal(t, 3, b.install("").Version)
	want := []skipper.StatusCode{skipper.StatusDeleted, skipper.StatusFailed, skipper.StatusDeployed}
	require.Equal(t, want, b.versions())
}

func TestInstall_ThatFailsGivesTheOperationsError(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.ops.end = func(op skipper.Operation) skipper.Advance {
		op.Outcome = skipper.OutcomeFailed
		op.Error = &skipper.OperationError{Code: skipper.CodeConflict, Message: "Could not install application [ping]"}
		return skipper.Advance{Operation: op, Release: []skipper.ReleaseChange{{Name: "r", Version: 1, Remove: true}}}
	}
	_, op, err := b.Install(t.Context(), installRequest("r", "pair", "1.0.0", ""))
	requireError(t, err, skipper.CodeConflict, "Could not install application [ping]")
	require.Equal(t, skipper.OutcomeFailed, op.Outcome)
	b.ops.end = nil
	require.Equal(t, 1, b.install("").Version, "the name is free")
}

// A package that is deleted after it was read, and before the release is accepted, is one that cannot be found.
func TestInstall_OfAPackageThatVanishes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	b.store.before = func() {
		b.store.before = nil
		require.NoError(t, b.catalog.DeletePackage(t.Context(), "pair"))
	}
	_, _, err := b.Install(t.Context(), installRequest("r", "pair", "1.0.0", ""))
	require.Equal(t, skipper.CodeConflict, skipper.CodeOf(err), "%v", err)
	require.Empty(t, b.ops.accepted)
}

func TestWait_LongerThanAllowedAnswersWithWhatThereIs(t *testing.T) {
	t.Parallel()
	b := setupWith(t, 10*time.Millisecond)
	b.pair("1.0.0")
	b.ops.wait = func(ctx context.Context, id string) (skipper.Operation, error) {
		op, err := b.store.Operation(ctx, id)
		<-ctx.Done()
		return op, errors.Join(err, ctx.Err())
	}
	rel, op, err := b.Install(t.Context(), installRequest("r", "pair", "1.0.0", "a: 1"))
	require.NoError(t, err)
	require.NotEmpty(t, op.ID)
	require.True(t, op.Running())
	require.Equal(t, skipper.StatusUnknown, rel.Info.Status.StatusCode)
	require.Equal(t, "Initial install underway", rel.Info.Description)
	require.Equal(t, "a: 1", rel.ConfigValues.Text())
}

func TestWait_OfAClientThatGoesAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	ctx, leave := context.WithCancel(t.Context())
	b.ops.wait = func(ctx context.Context, id string) (skipper.Operation, error) {
		leave()
		<-ctx.Done()
		return skipper.Operation{}, ctx.Err()
	}
	_, op, err := b.Install(ctx, installRequest("r", "pair", "1.0.0", ""))
	require.Equal(t, skipper.CodeCancelled, skipper.CodeOf(err))
	require.NotEmpty(t, op.ID)
	running, err := b.store.RunningOperation(t.Context(), "r")
	require.NoError(t, err)
	require.NotNil(t, running, "the operation goes on")
}

func TestWait_ThatFailsIsAnError(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.pair("1.0.0")
	broken := errors.New("the store is gone")
	b.ops.wait = func(context.Context, string) (skipper.Operation, error) { return skipper.Operation{}, broken }
	_, op, err := b.Install(t.Context(), installRequest("r", "pair", "1.0.0", ""))
	require.ErrorIs(t, err, broken)
	require.NotEmpty(t, op.ID)
}
