package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestRun(t *testing.T) {
	t.Parallel()
	deployed := info("DEPLOYED", "Install complete", appStatus("hello.hello-v1", "deployed"))
	pair := info("DEPLOYED", "Install complete", appStatus("duo.left-v1", "deployed", "duo.right-v1", "failed"))
	crashed := info("DEPLOYED", "Install complete", strings.Replace(appStatus("duo.left-v1", "deployed",
		"duo.right-v1", "failed"), `{\"guid\":\"duo.right-v1-0\"`,
		`{\"exitCode\":\"7\",\"reason\":\"exit status 7\",\"guid\":\"duo.right-v1-0\"`, 1))
	events := `{"_embedded": {"events": [
		{"from": "UPGRADE_DEPLOY_TARGET_APPS", "event": "DONE", "message": "handed over"},
		{"from": "UPGRADE_CHECK_TARGET_APPS", "event": "PENDING", "message": "hello.hello-v2 is deploying"},
		{"from": "UPGRADE_CHECK_TARGET_APPS", "event": "TIMEOUT", "message": "hello.hello-v2 is failed (exit status 7)"},
		{"from": "UPGRADE_DEPLOY_TARGET_APPS_FAILED", "event": "DONE", "message": "gone"}]}}`
	healthy := `{"_embedded": {"events": [
		{"from": "UPGRADE_CHECK_TARGET_APPS", "event": "PENDING", "message": "hello.hello-v2 is deploying"},
		{"from": "UPGRADE_CHECK_TARGET_APPS", "event": "HEALTHY", "message": "all applications are deployed"}]}}`
	failed := info("FAILED", "Did not detect apps in replacing release as healthy after 6000 ms.",
		`"[{\"deploymentId\":\"hello.hello-v2\",\"instances\":{},\"state\":\"unknown\"}]"`)
	unknown := info("UNKNOWN", "Upgrade install underway", "null")
	deleted := info("DELETED", "Delete complete", "null")
	succeeded := operation("succeeded", "INITIAL", "")
	running := func(state string) string { return operation("running", state, "") }
	list := `{"_embedded": {"releases": [` +
		release("duo", 1, "2.0.0", pair) + "," + release("hello", 2, "1.1.0", failed) + `]}}`
	packages := `{"_embedded": {"packageMetadata": [
		{"name": "hello", "version": "1.0.0", "description": "A small web server."},
		{"name": "alpha", "version": "2.0.0"}, {"name": "hello", "version": "1.1.0"}]}}`
	notFound := refused(404, "ReleaseNotFoundException", "Release with the name [nope] doesn't exist",
		`,"releaseName":"nope"`)
	tests := map[string]struct {
		args    string
		in      string
		answers answers
	}{
		"overview":             {args: ""},
		"help":                 {args: "--help"},
		"group help":           {args: "release"},
		"command help":         {args: "release upgrade --help"},
		"version":              {args: "version"},
		"version flag":         {args: "--version"},
		"version json":         {args: "version -o json"},
		"unknown command":      {args: "relaese list"},
		"unknown verb":         {args: "release instal hello"},
		"nothing alike":        {args: "frobnicate"},
		"unknown flag":         {args: "release install --relese-name x"},
		"unknown flag, long":   {args: "release install -wait"},
		"unknown flag, alien":  {args: "release install --frobnicate=x"},
		"unknown letter":       {args: "release install -x"},
		"flag without value":   {args: "release install --file"},
		"slash in a name":      {args: "release status a/b"},
		"slash, by a flag":     {args: "release upgrade --release-name a/b --package-name hello"},
		"slash in a part":      {args: "release list a/b"},
		"slash in a package":   {args: "package delete a/b"},
		"dots as a name":       {args: "release delete .."},
		"bad output":           {args: "release list -o xml"},
		"too many":             {args: "release status hello 2 3"},
		"named twice":          {args: "release status hello --release-name other"},
		"no name":              {args: "release status"},
		"no package name":      {args: "release install hello"},
		"bad timeout":          {args: "release upgrade hello --package-name hello --timeout soon"},
		"below 0":              {args: "release upgrade hello --package-name hello --timeout -1s"},
		"timeout 0":            {args: "release rollback hello --timeout 0"},
		"timeout 0, install":   {args: "release install hello --package-name hello --wait --timeout 0"},
		"timeout too long":     {args: "release upgrade hello --package-name hello --timeout 721h"},
		"apps, no force":       {args: "release upgrade hello --package-name hello --app-names a,b"},
		"no such file":         {args: "release install hello --package-name hello --file testdata/nope.yml"},
		"no such package file": {args: "package upload testdata/nope.zip"},
		"bad url":              {args: "release list --server ftp://x"},
		"bad port":             {args: "server --port 70000"},

		"health": {args: "health", answers: answers{"GET /actuator/health/readiness": {`{"status":"UP"}`}}},
		"not healthy": {
			args:    "health",
			answers: answers{"GET /actuator/health/readiness": {`!503{"status":"OUT_OF_SERVICE"}`}},
		},

		"platforms": {args: "platform list", answers: answers{"GET /api/deployers?size=1000&sort=name%2Casc": {
			`{"_embedded": {"deployers": [{"name": "default", "type": "local", "description": "ShutdownTimeout = [30]"}]}}`,
		}}},

		"packages": {
			args:    "package list",
			answers: answers{"GET /api/packageMetadata?size=1000&sort=name%2Casc": {packages}},
		},
		"packages json": {
			args:    "package list hel -o json",
			answers: answers{"GET /api/packageMetadata/search/containing?name=hel": {packages}},
		},
		"no packages": {
			args:    "package list --name x",
			answers: answers{"GET /api/packageMetadata/search/containing?name=x": {`{"_embedded": {"packageMetadata": [ ]}}`}},
		},
		"package delete": {args: "package delete hello", answers: answers{"DELETE /api/package/hello": {""}}},
		"package delete, in use": {
			args: "package delete --package-name hello",
			answers: answers{"DELETE /api/package/hello": {
				refused(409, "PackageDeleteException", "Can not delete Package Metadata [hello:1.0.0] in Repository [local]. "+
					"Not all releases of this package have the status DELETED. Active Releases [hello]", ""),
			}},
		},
		"package delete, not there": {args: "package delete nope", answers: answers{"DELETE /api/package/nope": {
			refused(409, "SkipperException", "Can not find a package named 'nope'", ""),
		}}},

		"list":           {args: "release list", answers: answers{"GET /api/release/list": {list}}},
		"list part":      {args: "release list --release-name du", answers: answers{"GET /api/release/list/du": {list}}},
		"list none":      {args: "release list", answers: answers{"GET /api/release/list": {`{ }`}}},
		"list none json": {args: "release list -o json", answers: answers{"GET /api/release/list": {`{ }`}}},
		"list json":      {args: "release list -o json", answers: answers{"GET /api/release/list": {list}}},
		"status":         {args: "release status duo", answers: answers{"GET /api/release/status/duo": {pair}}},
		"status of version": {
			args:    "release status hello --release-version 2",
			answers: answers{"GET /api/release/status/hello/2": {failed}},
		},
		"status while something drains": {args: "release status duo", answers: answers{"GET /api/release/status/duo": {
			strings.Replace(pair, "{", `{"draining":[{"app":"left","deploymentId":"duo.left-v1","version":1,"instances":2,`+
				`"until":"2026-11-22T22:50:04Z"},{"app":"right","deploymentId":"duo.right-v1","version":1,"instances":1,`+
				`"until":"2026-11-22T22:50:04Z"},{"app":"top","deploymentId":"duo.top-v1","version":1,"instances":-1,`+
				`"until":"2026-11-22T22:50:04Z"}],`, 1),
		}}},
		"status of deleted":   {args: "release status hello", answers: answers{"GET /api/release/status/hello": {deleted}}},
		"status with reasons": {args: "release status duo", answers: answers{"GET /api/release/status/duo": {crashed}}},
		"status of another kind": {
			args:    "release status duo",
			answers: answers{"GET /api/release/status/duo": {`{"_links": {}}`}},
		},
		"not skiff": {args: "release status duo", answers: answers{"GET /api": {"!404"}}},
		"status json": {
			args:    "release status hello -o json",
			answers: answers{"GET /api/release/status/hello": {deployed}},
		},
		"status not there": {args: "release status nope", answers: answers{"GET /api/release/status/nope": {notFound}}},
		"history": {args: "release history hello", answers: answers{"GET /api/releases/search/history?name=hello": {
			`{"_embedded": {"releases": [` + release("hello", 2, "1.1.0", failed) + "," +
				release("hello", 1, "1.0.0", deployed) + "," + release("othello", 1, "9.0.0", deployed) + `]}}`,
		}}},
		"history not there": {
			args: "release history nope",
			answers: answers{"GET /api/releases/search/history?name=nope": {
				`{"_embedded": {"releases": [ ]}}`,
			}},
		},
		"manifest": {
			args:    "release manifest hello",
			answers: answers{"GET /api/release/manifest/hello": {`{"data": "\"a\": \"<b>\"\n"}`}},
		},
		"manifest json": {args: "release manifest hello --release-version 1 -o json", answers: answers{
			"GET /api/release/manifest/hello/1": {`{"data": "\"a\": \"<b>\"\n"}`},
		}},
		"logs": {args: "release logs duo", answers: answers{"GET /api/release/logs/duo": {
			`{"logs": {"duo.right-v1": "stderr:\nno\nstdout:\n", "duo.left-v1": "stdout:\nup 100%\n"}}`,
		}}},
		"logs none": {args: "release logs duo", answers: answers{"GET /api/release/logs/duo": {`{"logs": {}}`}}},

		"install": {args: "release install hello --package-name hello", answers: answers{
			"POST /api/package/install": {"!201" + release("hello", 1, "1.0.0", deployed)},
		}},
		"install with all": {
			args: "release install --release-name hello --package-name hello --package-version 1.0.0 " +
				"--platform-name far --file - -o json",
			in: "a: \"b\"\n", answers: answers{"POST /api/package/install": {"!201" + release("hello", 1, "1.0.0", deployed)}},
		},
		"install, no such package": {
			args: "release install hello --package-name nope --package-version 9",
			answers: answers{
				"POST /api/package/install": {refused(409, "SkipperException", "Can not find package 'nope', version '9'", "")},
			},
		},
		"install, taken": {args: "release install hello --package-name hello", answers: answers{
			"POST /api/package/install": {refused(409, "SkipperException",
				"Release with the name [hello] already exists and it is not deleted.", "")},
		}},
		"install and wait": {args: "release install duo --package-name duo --wait", answers: answers{
			"POST /api/package/install": {"!201" + release("duo", 1, "1.0.0", deployed)},
			"GET /api/release/status/duo/1": {
				info("DEPLOYED", "x", "null"),
				info("DEPLOYED", "x", appStatus("duo.left-v1", "deploying", "duo.right-v1", "deploying")),
				info("DEPLOYED", "x", appStatus("duo.left-v1", "deploying", "duo.right-v1", "deploying")),
				"!503{}",
				info("DEPLOYED", "x", appStatus("duo.left-v1", "deployed", "duo.right-v1", "deploying")),
				info("DEPLOYED", "x", appStatus("duo.left-v1", "deployed", "duo.right-v1", "deployed")),
			},
		}},
		"install and wait, fails": {args: "release install duo --package-name duo --wait", answers: answers{
			"POST /api/package/install":     {"!201" + release("duo", 1, "1.0.0", deployed)},
			"GET /api/release/status/duo/1": {info("DEPLOYED", "x", appStatus("duo.left-v1", "deploying")), pair},
			"GET /api/release/logs/duo":     {`{"logs": {"duo.right-v1": "stdout:\nstarting\nno memory\n\n"}}`},
		}},
		"install and wait, exits": {args: "release install duo --package-name duo --wait", answers: answers{
			"POST /api/package/install":     {"!201" + release("duo", 1, "1.0.0", deployed)},
			"GET /api/release/status/duo/1": {crashed},
			"GET /api/release/logs/duo":     {`{"logs": {"duo.right-v1": "stdout:\nno memory\n"}}`},
		}},
		"install and wait, too long": {
			args: "release install hello --package-name hello --wait --timeout 3s",
			answers: answers{
				"POST /api/package/install":       {"!201" + release("hello", 1, "1.0.0", deployed)},
				"GET /api/release/status/hello/1": {info("DEPLOYED", "x", appStatus("hello.hello-v1", "deploying"))},
			},
		},
		"install and wait, deleted": {args: "release install hello --package-name hello --wait", answers: answers{
			"POST /api/package/install":       {"!201" + release("hello", 1, "1.0.0", deployed)},
			"GET /api/release/status/hello/1": {deleted},
		}},

		"upgrade": {
			args: "release upgrade hello --package-name hello --package-version 1.1.0 --timeout 90s " +
				"--force --app-names a,b --file -",
			in: "a: b\n", answers: answers{"POST /api/release/upgrade": {"!201" + release("hello", 2, "1.1.0", unknown)}},
		},
		"upgrade, not deployed": {args: "release upgrade hello --package-name hello", answers: answers{
			"POST /api/release/upgrade": {
				"!201" + release("hello", 2, "1.1.0", info("FAILED", "Could not deploy app.", "null")),
			},
		}},
		"upgrade, no difference": {args: "release upgrade hello --package-name hello", answers: answers{
			"POST /api/release/upgrade": {refused(409, "ReleaseUpgradeException",
				"Package to upgrade has no difference than existing deployed/deleted package. Not upgrading.", "")},
		}},
		"upgrade, busy": {args: "release upgrade hello --package-name hello", answers: answers{
			"POST /api/release/upgrade": {refused(409, "SkipperException", "Statemachine is not in state ready to do UPGRADE",
				`,"_links":{"operation":{"href":"{{base}}/api/operations/op-6"}}`)},
		}},
		"upgrade and wait": {args: "release upgrade hello --package-name hello --wait -o json", answers: answers{
			"POST /api/release/upgrade": {"!201" + release("hello", 2, "1.1.0", unknown)},
			"GET /api/operations/op-7": {
				running("UPGRADE_DEPLOY_TARGET_APPS"), running("UPGRADE_WAIT_TARGET_APPS"),
				running("UPGRADE_CHECK_TARGET_APPS"), running("UPGRADE_WAIT_TARGET_APPS"),
				running("UPGRADE_DELETE_SOURCE_APPS"), succeeded,
			},
			"GET /api/release/status/hello/2": {info("DEPLOYED", "Upgrade complete", appStatus("hello.hello-v2", "deployed"))},
		}},
		"upgrade and wait, rolled back": {args: "release upgrade hello --package-name hello --wait", answers: answers{
			"POST /api/release/upgrade":       {"!201" + release("hello", 2, "1.2.0", unknown)},
			"GET /api/operations/op-7":        {running("UPGRADE_WAIT_TARGET_APPS"), operation("rolled_back", "INITIAL", "")},
			"GET /api/release/status/hello/2": {failed},
		}},
		"upgrade and wait, rolled back, why": {args: "release upgrade hello --package-name hello --wait", answers: answers{
			"POST /api/release/upgrade":       {"!201" + release("hello", 2, "1.2.0", unknown)},
			"GET /api/operations/op-7":        {operation("rolled_back", "INITIAL", "")},
			"GET /api/operations/op-7/events": {events},
			"GET /api/release/status/hello/2": {failed},
		}},
		"upgrade and wait, fails once healthy": {args: "release upgrade hello --package-name hello --wait", answers: answers{
			"POST /api/release/upgrade":       {"!201" + release("hello", 2, "1.2.0", unknown)},
			"GET /api/operations/op-7":        {operation("failed", "INITIAL", "the replaced applications stay")},
			"GET /api/operations/op-7/events": {healthy},
		}},
		"upgrade and wait, cancelled": {args: "release upgrade hello --package-name hello --wait", answers: answers{
			"POST /api/release/upgrade":       {"!201" + release("hello", 2, "1.2.0", unknown)},
			"GET /api/operations/op-7":        {running("UPGRADE_CANCEL"), operation("cancelled", "INITIAL", "")},
			"GET /api/operations/op-7/events": {events},
			"GET /api/release/status/hello/2": {info("FAILED", "Cancelled after 1200 ms.", "null")},
		}},
		"upgrade and wait, fails": {args: "release upgrade hello --package-name hello --wait", answers: answers{
			"POST /api/release/upgrade": {"!201" + release("hello", 2, "1.2.0", unknown)},
			"GET /api/operations/op-7": {
				running("UPGRADE_START"), operation("failed", "INITIAL", "no space left on the platform"),
			},
		}},
		"upgrade and wait, for what": {args: "release upgrade hello --package-name hello --wait", answers: answers{
			"POST /api/release/upgrade": {"!201" + release("hello", 2, "1.2.0", unknown)},
			"GET /api/operations/op-7": {
				waiting(operation("queued", "QUEUED", ""), "operation op-6 (scale), which is running"),
				waiting(running("UPGRADE_DEPLOY_TARGET_APPS"), "downloads g:a:jar:1.0: 42.0 of 105.9 MB (39 %)"),
				waiting(running("UPGRADE_WAIT_TARGET_APPS"), "hello.hello-v2 is deploying"), succeeded,
			},
			"GET /api/release/status/hello/2": {info("DEPLOYED", "Upgrade complete", appStatus("hello.hello-v2", "deployed"))},
		}},
		"upgrade and wait, too long": {args: "release upgrade hello --package-name hello --wait", answers: answers{
			"POST /api/release/upgrade": {"!201" + release("hello", 2, "1.2.0", unknown)},
			"GET /api/operations/op-7":  {running("COMPENSATE")},
		}},
		"upgrade and wait, no operation": {args: "release upgrade hello --package-name hello --wait", answers: answers{
			"POST /api/release/upgrade": {
				"!201" + strings.ReplaceAll(release("hello", 2, "1.1.0", unknown), "operation", "other"),
			},
		}},
		"rollback": {args: "release rollback hello", answers: answers{
			"POST /api/release/rollback": {"!201" + release("hello", 3, "1.0.0", unknown)},
		}},
		"rollback and wait": {
			args: "release rollback hello --release-version 1 --wait --timeout 1500ms",
			answers: answers{
				"POST /api/release/rollback":      {"!201" + release("hello", 3, "1.0.0", unknown)},
				"GET /api/operations/op-7":        {succeeded},
				"GET /api/release/status/hello/3": {info("DEPLOYED", "Rollback complete", "null")},
			},
		},
		"cancel": {
			args:    "release cancel hello",
			answers: answers{"POST /api/release/cancel": {`{"accepted":true}`}},
		},
		"cancel help": {args: "release cancel --help"},
		"cancel, not accepted": {
			args: "release cancel hello",
			answers: answers{
				"POST /api/release/cancel":      {`{"accepted":false}`},
				"GET /api/release/status/hello": {deployed},
			},
		},
		"cancel, not there": {
			args: "release cancel nope",
			answers: answers{
				"POST /api/release/cancel":     {`{"accepted":false}`},
				"GET /api/release/status/nope": {notFound},
			},
		},
		"delete": {args: "release delete hello", answers: answers{
			"DELETE /api/release/hello": {release("hello", 2, "1.1.0", deleted)},
		}},
		"delete with package, slow": {args: "release delete hello --delete-package", answers: answers{
			"DELETE /api/release/hello/package": {release("hello", 2, "1.1.0", deployed)},
			"GET /api/operations/op-7":          {running("DELETE_DELETE"), running("DELETE_DELETE"), succeeded},
			"GET /api/release/status/hello/2":   {deleted},
		}},
		"server error": {
			args:    "release list",
			answers: answers{"GET /api/release/list": {`!500{"message":"internal error"}`}},
		},
		"invalid at server": {
			args:    "release delete a",
			answers: answers{"DELETE /api/release/a": {refused(400, "SkipperException", "two\nlines", "")}},
		},
		"no server at all": {args: "release list --server http://127.0.0.1:1/api"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, test.answers)
			b.deps.In = strings.NewReader(test.in)
			args := strings.Fields(test.args)
			code := b.run(t.Context(), args...)
			golden(t, b.transcript(args, code))
		})
	}
}

func TestExitCode_OfEachCode(t *testing.T) {
	t.Parallel()
	want := map[skipper.Code]int{
		skipper.CodeInvalid: 7, skipper.CodeNotFound: 3, skipper.CodeReleaseNotFound: 3, skipper.CodeConflict: 4,
		skipper.CodeBusy: 4, skipper.CodePackageDelete: 4, skipper.CodeReleaseUpgrade: 4, skipper.CodeUnsupported: 7,
		skipper.CodeUnauthorized: 7, skipper.CodeForbidden: 7, skipper.CodeTooLarge: 7, skipper.CodeUnavailable: 6,
		skipper.CodeTimeout: 5, skipper.CodeCancelled: 1, skipper.CodeInternal: 1,
	}
	got := map[skipper.Code]int{}
	for _, code := range skipper.Codes() {
		got[code] = ExitCode(fmt.Errorf("wrapped: %w", skipper.Errorf(code, "m")))
	}
	require.Empty(t, cmp.Diff(want, got))
	require.Equal(t, 0, ExitCode(nil))
	require.Equal(t, 1, ExitCode(errors.New("any other")))
	require.Equal(t, 2, ExitCode(fmt.Errorf("wrapped: %w", usagef("m"))))
	require.Equal(t, 1, ExitCode(failuref("m: %w", skipper.Errorf(skipper.CodeTimeout, "m"))))
}

func TestCommands_ExplainThemselves(t *testing.T) {
	t.Parallel()
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		require.NotEmpty(t, cmd.Example, cmd.CommandPath())
		require.NotEmpty(t, cmd.Short, cmd.CommandPath())
		require.Contains(t, cmd.Example, cmd.CommandPath(), "an example uses the command")
		require.NotNil(t, cmd.Args, cmd.CommandPath())
		for _, verb := range cmd.Commands() {
			walk(verb)
		}
	}
	walk(New(Deps{}))
}

func TestServer_TellsWhatWasGiven(t *testing.T) {
	t.Parallel()
	port, address := 7577, "0.0.0.0"
	tests := map[string]struct {
		args []string
		want ServerOptions
	}{
		"nothing":             {[]string{"server"}, ServerOptions{}},
		"a default, as given": {[]string{"server", "--port", "7577"}, ServerOptions{Port: &port}},
		"others": {
			[]string{"server", "--address", "0.0.0.0", "--data-dir", "0.0.0.0", "--config", "f.yml"},
			ServerOptions{Address: &address, DataDir: &address, Config: "f.yml"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			var got ServerOptions
			b.deps.Server = func(_ context.Context, o ServerOptions) error { got = o; return nil }
			require.Equal(t, 0, b.run(t.Context(), test.args...))
			require.Empty(t, cmp.Diff(test.want, got))
		})
	}
	t.Run("its error is reported", func(t *testing.T) {
		t.Parallel()
		b := setup(t, nil)
		b.deps.Server = func(context.Context, ServerOptions) error {
			return skipper.Errorf(skipper.CodeConflict, "port is taken")
		}
		require.Equal(t, 4, b.run(t.Context(), "server"))
		require.Equal(t, "error: port is taken\n", b.err.String())
	})
}
