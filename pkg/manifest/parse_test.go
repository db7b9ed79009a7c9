package manifest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

func TestParse_ReadsApplications(t *testing.T) {
	t.Parallel()
	got, kind, err := Parse(`"apiVersion": "skipper.spring.io/v1"
"kind": "SpringCloudDeployerApplication"
"metadata":
  "name": "hello"
  "type": "sample"
"spec":
  "resource": "file:///apps/sample-app"
  "resourceMetadata": "ignored"
  "version": "1.0.0"
  "applicationProperties":
    "z": "1"
    "a": !!null "null"
    "when": 2020-01-02T00:00:00Z
    "control": !!binary |-
      YQg=
  "deploymentProperties": !!null "null"
`)
	require.NoError(t, err)
	require.Equal(t, KindDeployer, kind)
	text := func(s string) *string { return &s }
	require.Empty(t, cmp.Diff([]Application{{
		APIVersion: "skipper.spring.io/v1", Kind: KindDeployer, Name: "hello",
		Metadata: Properties{{"name", text("hello")}, {"type", text("sample")}},
		Resource: "file:///apps/sample-app", Version: "1.0.0",
		ApplicationProperties: Properties{
			{"z", text("1")}, {"a", nil}, {"when", text("2020-01-02T00:00:00Z")}, {"control", text("a\b")},
		},
		DeploymentProperties: Properties{},
	}}, got))
	require.Equal(t, map[string]string{"z": "1", "a": "", "when": "2020-01-02T00:00:00Z", "control": "a\b"},
		got[0].ApplicationProperties.Map())
}

func TestParse_LeavesOtherKindsToTheCaller(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "a: b": "", "kind: ConfigMap": "ConfigMap", "kind: CloudFoundryApplication": KindCloudFoundry,
		"a: b\n---\nkind: ConfigMap": "ConfigMap", "---\n---\nkind: X": "X",
	} {
		applications, kind, err := Parse(text)
		require.NoError(t, err, text)
		require.Empty(t, applications, text)
		require.Equal(t, want, kind, text)
	}
}

func TestParse_SaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	const head = "kind: SpringCloudDeployerApplication\nmetadata: {name: a}\n"
	for name, c := range map[string]struct{ text, want string }{
		"empty document": {head + "---\n", "Can't parse manifest, it is empty"},
		"not a map":      {head + "---\n- x\n", "Can't parse manifest, it is not a map.  Manifest = - x"},
		"no name": {
			"kind: SpringBootApp",
			"SpringCloudDeployerApplicationManifest must define a 'name' property in the metadata",
		},
		"other kind": {head + "---\nkind: ConfigMap\n", "document 2 of the manifest is of kind 'ConfigMap'; " +
			"all documents of a release must be of kind 'SpringCloudDeployerApplication'"},
		"list as property": {head + "spec: {applicationProperties: {a: [1]}}", "Can't parse Package's manifest YAML: " +
			"spec.applicationProperties.a in document 1 must be a text, found a list"},
		"text as spec": {
			head + "spec: x",
			"Can't parse Package's manifest YAML: spec in document 1 must be keys with values, found a text",
		},
		"not YAML": {"a: [", "the manifest is not valid YAML: line 1: the [ that opens here is not closed; add ']'"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := Parse(c.text)
			require.EqualError(t, err, c.want)
			require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err))
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("kind: SpringCloudDeployerApplication\nmetadata: {name: a}\nspec: {resource: r, version: 1}\n")
	f.Add("---\n- x\n")
	f.Add("kind: SpringBootApp\nmetadata: {name: a}\nspec: {applicationProperties: {a: !!binary eA==, ~: 2020-01-02}}\n")
	f.Fuzz(func(t *testing.T, text string) {
		applications, kind, err := Parse(text)
		if err != nil && skipper.CodeOf(err) != skipper.CodeInvalid {
			t.Fatalf("an error without a code: %v", err)
		}
		if len(applications) > 0 && !isDeployer(kind) {
			t.Fatalf("applications of kind %q", kind)
		}
		for _, a := range applications {
			if a.Name == "" {
				t.Fatal("an application without a name")
			}
		}
	})
}

func FuzzDiff(f *testing.F) {
	f.Add(before, after)
	f.Add(cloudFoundry, before)
	f.Add("kind: SpringBootApp\nmetadata: {name: a, 1: x, '1': y}\n", "kind: SpringBootApp\nmetadata: {'1': z, name: a}\n")
	f.Fuzz(func(t *testing.T, existing, replacing string) {
		d, err := DiffOf(existing, replacing)
		if err != nil {
			if skipper.CodeOf(err) != skipper.CodeInvalid {
				t.Fatalf("an error without a code: %v", err)
			}
			return
		}
		if back, err := DiffOf(replacing, existing); err != nil || len(back.Applications) != len(d.Applications) {
			t.Fatalf("%d applications differ, and %d the other way round: %v", len(d.Applications), len(back.Applications), err)
		}
		if (len(d.Applications) == 0) != (d.Text() == "") {
			t.Fatalf("%d applications differ, and the text is %q", len(d.Applications), d.Text())
		}
		for _, a := range d.Applications {
			for _, f := range a.Fields {
				if (f.Old == nil) != (f.Action == Added) || (f.New == nil) != (f.Action == Removed) {
					t.Fatalf("%+v does not fit its values", f)
				}
			}
		}
		if _, err := Compare(existing, replacing, Force{On: true}); err != nil && skipper.CodeOf(err) != skipper.CodeInvalid {
			t.Fatalf("an error without a code: %v", err)
		}
	})
}
