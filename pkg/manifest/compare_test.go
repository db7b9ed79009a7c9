package manifest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestCompare_FindsWhatTheReferenceFinds(t *testing.T) {
	t.Parallel()
	// What we do better: documents are compared one by one, and applications come and go with an upgrade.
	better := map[string]Difference{
		"name changed": {Added: []string{"app2"}, Dropped: []string{"app"}},
		"one package, two documents, second changed": {Changed: []string{"beta"}},
		"one package, two documents, forced":         {Forced: []string{"alpha", "beta"}},
		"two: one fewer":                             {Dropped: []string{"beta"}},
		"two: one more":                              {Added: []string{"gamma"}},
		"two: one renamed":                           {Added: []string{"gamma"}, Dropped: []string{"beta"}},
		"two: to a single package":                   {Added: []string{"app"}, Dropped: []string{"alpha", "beta"}},
		"two: with a template at the top":            {},
	}
	type release struct {
		Manifest string `json:"manifest"`
	}
	type vector struct {
		Name      string    `json:"name"`
		Existing  release   `json:"existing"`
		Replacing release   `json:"replacing"`
		Force     bool      `json:"force"`
		AppNames  []string  `json:"appNames"`
		Upgrade   *[]string `json:"upgrade"`
	}
	var cases []vector
	text, err := os.ReadFile("../../testdata/manifests/differences.json")
	require.NoError(t, err)
	const digest = "e203d80b8849fcfddddccdc78fb519c00190ee558566a1eaad1776a7b105285a" // who changes the cases changes what is proved
	require.Equal(t, digest, fmt.Sprintf("%x", sha256.Sum256(text)))
	require.NoError(t, json.Unmarshal(text, &cases))
	require.Len(t, cases, 51)
	for name := range better {
		require.True(t, slices.ContainsFunc(cases, func(c vector) bool { return c.Name == name }), name)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			got, err := Compare(c.Existing.Manifest, c.Replacing.Manifest, Force{On: c.Force, Apps: c.AppNames})
			if want, ok := better[c.Name]; ok {
				require.NoError(t, err)
				require.Empty(t, cmp.Diff(want, got, cmpopts.IgnoreFields(Difference{}, "Apps"),
					cmpopts.IgnoreUnexported(Difference{})))
				return
			}
			if c.Upgrade == nil {
				require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err), "%v", err)
				return
			}
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(*c.Upgrade, got.Replaced(), cmpopts.EquateEmpty()))
			require.Empty(t, got.Added)
			require.Empty(t, got.Dropped)
		})
	}
}

const twoApps = `
kind: SpringCloudDeployerApplication
metadata: {name: alpha}
spec: {resource: "file:///a", version: 1.0.0}
---
kind: SpringCloudDeployerApplication
metadata: {name: beta}
spec: {resource: "file:///b", version: 1.0.0, applicationProperties: {a: x, gone: y, none: null}}
`

const twoOthers = `
kind: SpringCloudDeployerApplication
metadata: {name: gamma}
spec: {resource: "file:///c", version: 1.0.0}
---
kind: SpringCloudDeployerApplication
metadata: {name: beta}
spec: {resource: "file:///b", version: 1.1.0, applicationProperties: {a: z, new: n, none: null},
  deploymentProperties: {spring.cloud.deployer.count: 3}}
`

func TestCompare_SaysWhatChangedAndWhatToDeploy(t *testing.T) {
	t.Parallel()
	got, err := Compare(twoApps, twoOthers, Force{})
	require.NoError(t, err)
	require.Equal(t, []string{"gamma", "beta"}, got.Deploy())
	require.Equal(t, []string{"alpha"}, got.Dropped)
	require.False(t, got.None())
	text := func(s string) *string { return &s }
	require.Empty(t, cmp.Diff([]ApplicationDifference{{Name: "beta", Changes: []Change{
		{Field: "spec.version", Old: text("1.0.0"), New: text("1.1.0")},
		{Field: "spec.applicationProperties.a", Old: text("x"), New: text("z")},
		{Field: "spec.applicationProperties.gone", Old: text("y")},
		{Field: "spec.applicationProperties.new", New: text("n")},
	}}}, got.Apps))
}

func TestCompare_NeedsAResourceInTheReplacingManifest(t *testing.T) {
	t.Parallel()
	_, err := Compare(twoApps, "kind: SpringBootApp\nmetadata: {name: alpha}\nspec: {version: 2}\n", Force{})
	require.ErrorContains(t, err, "Could not find Resource in replacing release name [null], version [2].")
}
