package cli

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// withOrphans is an index that leads to the orphans too.
func withOrphans(more answers) answers {
	out := answers{"GET /api": {`{"_links": {"orphans": {"href": "{{base}}/api/orphans"},
		"orphans/remove": {"href": "{{base}}/api/orphans/remove"}, "orphans/adopt": {"href": "{{base}}/api/orphans/adopt"}}}`}}
	maps.Copy(out, more)
	return out
}

func orphans(items ...string) string {
	return `{"problems": [], "_embedded": {"orphans": [` + strings.Join(items, ",") + `]}}`
}

func orphan(kind, id, message string) string {
	return fmt.Sprintf(`{"kind": %q, "account": "default", "deploymentId": %q, "releaseName": "hello", "version": 1,
		"app": "hello", "since": "2026-11-22T22:50:04.176Z", "message": %q}`, kind, id, message)
}

func TestOrphans(t *testing.T) {
	t.Parallel()
	two := orphans(orphan("compensation", "hello.gone-v1", "it is stubborn"), orphan("orphan", "hello.hello-v1", ""),
		orphan("orphan", "hello.other-v1", ""))
	removed := orphans(orphan("compensation", "hello.hello-v1", ""))
	for name, test := range map[string]struct {
		args, in string
		person   bool
		answers  answers
	}{
		"help":      {args: "release orphans --help"},
		"list":      {args: "release orphans", answers: answers{"GET /api/orphans": {two}}},
		"list json": {args: "release orphans -o json", answers: answers{"GET /api/orphans": {two}}},
		"draining": {args: "release orphans", answers: answers{"GET /api/orphans": {orphans(strings.Replace(
			orphan("draining", "hello.old-v1", ""), "{", `{"until": "2026-11-22T23:50:04Z", `, 1))}}},
		"none":      {args: "release orphans", answers: answers{"GET /api/orphans": {orphans()}}},
		"none json": {args: "release orphans -o json", answers: answers{"GET /api/orphans": {orphans()}}},
		"an account that cannot be asked": {args: "release orphans", answers: answers{"GET /api/orphans": {
			`{"problems": ["account far cannot be asked: no route"], "_embedded": {"orphans": []}}`,
		}}},
		"another server":        {args: "release orphans", answers: answers{"GET /api/orphans": {`{"_embedded": {}}`}}},
		"both":                  {args: "release orphans --adopt --remove"},
		"ids for nothing":       {args: "release orphans hello.hello-v1"},
		"remove nothing":        {args: "release orphans --remove", answers: answers{"GET /api/orphans": {orphans()}}},
		"remove, nobody to ask": {args: "release orphans --remove", answers: answers{"GET /api/orphans": {two}}},
		"remove, no":            {args: "release orphans --remove", person: true, in: "\n", answers: answers{"GET /api/orphans": {two}}},
		"remove, end of input":  {args: "release orphans --remove", person: true, answers: answers{"GET /api/orphans": {two}}},
		"remove, yes": {
			args: "release orphans --remove hello.hello-v1", person: true, in: "Y\n",
			answers: answers{"GET /api/orphans": {two}, "POST /api/orphans/remove": {removed}},
		},
		"remove all": {args: "release orphans --remove --yes -o json", answers: answers{
			"GET /api/orphans": {two}, "POST /api/orphans/remove": {removed},
		}},
		"what is none": {args: "release orphans --remove --yes hello.gone-v1 nope", answers: answers{"GET /api/orphans": {two}}},
		"adopt": {args: "release orphans --adopt", answers: answers{
			"GET /api/orphans": {two},
			"POST /api/orphans/adopt": {orphans(orphan("adopted", "hello.hello-v1", ""),
				orphan("orphan", "hello.other-v1", "version 1 of release hello has no application other"))},
		}},
		"refused": {args: "release orphans --adopt", answers: answers{
			"GET /api/orphans":        {two},
			"POST /api/orphans/adopt": {refused(503, "SkipperException", "the store is gone", "")},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, withOrphans(test.answers))
			b.deps.In, b.deps.IsTTY = strings.NewReader(test.in), test.person
			args := strings.Fields(test.args)
			golden(t, b.transcript(args, b.run(t.Context(), args...)))
		})
	}
}

// failedOperation is one that an application caused to fail.
func failedOperation(cause string) string {
	return strings.Replace(operation("failed", "INITIAL", "Did not detect apps in replacing release as healthy after 6000 ms."),
		`ms."}`, `ms.", "cause": `+cause+`}`, 1)
}

func TestCause(t *testing.T) {
	t.Parallel()
	const all = `{"app": "hello", "instance": "hello.hello-v2-0", "reason": "exited with code 3", "exitCode": 3,
		"log": ["stderr:", "panic: no memory", "  at main"]}`
	unknown := info("UNKNOWN", "Upgrade install underway", "null")
	index := `{"_links": {"release": {"href": "{{base}}/api/release"}, "package": {"href": "{{base}}/api/package"},
		"operation": {"href": "{{base}}/api/operations/{id}", "templated": true}}}`
	installFails := refused(409, "SkipperException", "Could not install application [hello]",
		`,"_links":{"operation":{"href":"{{base}}/api/operations/op-7"}}`)
	for name, test := range map[string]struct {
		args    string
		answers answers
	}{
		"upgrade": {"release upgrade hello --package-name hello --wait", answers{
			"POST /api/release/upgrade": {"!201" + release("hello", 2, "1.2.0", unknown)},
			"GET /api/operations/op-7":  {failedOperation(all)},
		}},
		"little is known": {"release upgrade hello --package-name hello --wait", answers{
			"POST /api/release/upgrade": {"!201" + release("hello", 2, "1.2.0", unknown)},
			"GET /api/operations/op-7":  {failedOperation(`{"app": "hello", "exitCode": 0}`)},
		}},
		"install": {"release install hello --package-name hello", answers{
			"GET /api": {index}, "POST /api/package/install": {installFails}, "GET /api/operations/op-7": {failedOperation(all)},
		}},
		"install, no operation": {"release install hello --package-name hello", answers{
			"GET /api": {index}, "POST /api/package/install": {installFails},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, test.answers)
			args := strings.Fields(test.args)
			code := b.run(t.Context(), args...)
			require.NotZero(t, code)
			golden(t, b.transcript(args, code))
		})
	}
}
