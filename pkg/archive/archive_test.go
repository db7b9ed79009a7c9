package archive

import (
	"archive/zip"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/skipper"
)

const hello = "apiVersion: skipper.spring.io/v1\nkind: SkipperPackageMetadata\nname: hello\nversion: 1.0.0\n"

// file is one entry of a zip; a name that ends in a slash makes a folder.
type file struct {
	name, content string
	mode          fs.FileMode
}

func zipOf(tb testing.TB, entries ...file) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		header := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		if e.mode != 0 {
			header.SetMode(e.mode)
		}
		entry, err := w.CreateHeader(header)
		require.NoError(tb, err)
		_, err = entry.Write([]byte(e.content))
		require.NoError(tb, err)
	}
	require.NoError(tb, w.Close())
	return b.Bytes()
}

//go:fix inline
func TestRead_FindsEverythingInOrderOfName(t *testing.T) {
	t.Parallel()
	// As Data Flow packs: no entry for the root, its package.yml last, and names in no order.
	packed := zipOf(t,
		file{name: "hello-1.0.0/packages/"},
		file{name: "hello-1.0.0/packages/z/package.yaml", content: "name: alpha\nversion: 2\norigin: null\ntags: ~\n"},
		file{name: "hello-1.0.0/packages/z/templates/a.yml", content: "a: 1"},
		file{name: "hello-1.0.0/packages/a/Package.yml", content: "!!x.Y\nname: beta\nversion: 010\nrepositoryId: 7\n"},
		file{name: "hello-1.0.0/packages/README.md", content: "no package"},
		file{name: "hello-1.0.0/templates/z.yml", content: "z: 1"},
		file{name: "hello-1.0.0/templates/b.yaml", content: "b: 1"},
		file{name: "hello-1.0.0/templates/.hidden.yml", content: "h: 1"},
		file{name: "hello-1.0.0/templates/notes.txt", content: "n"},
		file{name: "hello-1.0.0/templates/deeper/c.yml", content: "c: 1"},
		file{name: "hello-1.0.0/skipper_manifest.yml", content: "m: 1"},
		file{name: "hello-1.0.0/VALUES.yaml", content: "v: \xff1\n"},
		file{name: "__MACOSX/hello-1.0.0/._package.yml", content: "junk"},
		file{name: "hello-1.0.0/package.yml", content: hello + "description: a \"b\"\nunknown: x\nrepositoryId: x\n"},
	)
	got, err := Read(packed, "hello-1.0.0")
	require.NoError(t, err)
	id := int64(7)
	require.Empty(t, cmp.Diff(skipper.Package{
		Metadata: skipper.PackageMetadata{
			APIVersion: "skipper.spring.io/v1", Kind: "SkipperPackageMetadata", Name: "hello", Version: "1.0.0",
			Description: new(`a "b"`),
		},
		Templates: []skipper.Template{{Name: "b.yaml", Data: "b: 1"}, {Name: "z.yml", Data: "z: 1"}},
		Dependencies: []skipper.Package{
			{
				Metadata:  skipper.PackageMetadata{Name: "alpha", Version: "2", Origin: new("null"), Tags: new("~")},
				Templates: []skipper.Template{{Name: "a.yml", Data: "a: 1"}}, Dependencies: []skipper.Package{},
				FileHolders: []skipper.FileHolder{},
			},
			{
				Metadata:  skipper.PackageMetadata{Name: "beta", Version: "010", RepositoryID: &id},
				Templates: []skipper.Template{}, Dependencies: []skipper.Package{}, FileHolders: []skipper.FileHolder{},
			},
		},
		ConfigValues: &skipper.ConfigValues{Raw: new("v: \ufffd1\n")},
		FileHolders:  []skipper.FileHolder{{Name: "skipper_manifest.yml", Bytes: []byte("m: 1")}},
	}, got))
}

func TestRead_RefusesWhatIsNoPackage(t *testing.T) {
	t.Parallel()
	good := file{name: "hello-1.0.0/package.yml", content: hello}
	for name, c := range map[string]struct {
		zip  []byte
		want string
	}{
		"not a zip":     {[]byte("not a zip"), "the package file is not a zip archive"},
		"nothing in it": {zipOf(t), "Package is expected to be unpacked, but it doesn't exist"},
		"another root": {
			zipOf(t, file{name: "hallo-1.0.0/package.yml"}),
			"Package is expected to be unpacked, but it doesn't exist",
		},
		"two roots":    {zipOf(t, good, file{name: "other/x"}), "exactly one root folder"},
		"beside root":  {zipOf(t, good, file{name: "x"}), "exactly one root folder"},
		"climbs out":   {zipOf(t, good, file{name: "hello-1.0.0/../../x"}), "not a path below its root folder"},
		"absolute":     {zipOf(t, good, file{name: "/etc/x"}), "not a path below its root folder"},
		"drive":        {zipOf(t, good, file{name: "C:/x"}), "not a path below its root folder"},
		"backslash":    {zipOf(t, good, file{name: `hello-1.0.0/..\x`}), "not a path below its root folder"},
		"double slash": {zipOf(t, good, file{name: "hello-1.0.0//x"}), "not a path below its root folder"},
		"link": {
			zipOf(t, good, file{name: "hello-1.0.0/l", content: "/etc", mode: fs.ModeSymlink | 0o777}),
			"not a plain file",
		},
		"twice":          {zipOf(t, good, good), `"hello-1.0.0/package.yml" twice`},
		"no package.yml": {zipOf(t, file{name: "hello-1.0.0/values.yml"}), "hello-1.0.0 has no package.yml"},
		"no name": {
			zipOf(t, file{name: good.name, content: "version: 1.0.0\n"}),
			"hello-1.0.0/package.yml has no name",
		},
		"no kind": {
			zipOf(t, file{name: good.name, content: "name: a\nversion: 1\napiVersion: x\n"}),
			"has no kind; add it",
		},
		"list in it": {
			zipOf(t, file{name: good.name, content: hello + "tags: [a]\n"}),
			"Unable to Parse yaml to PackageMetadata type",
		},
		"no mapping": {
			zipOf(t, file{name: good.name, content: "text"}),
			"Unable to Parse yaml to PackageMetadata type",
		},
		"nested without": {
			zipOf(t, good, file{name: "hello-1.0.0/packages/a/x.yml"}),
			"hello-1.0.0/packages/a has no package.yml",
		},
		"nested deep": {zipOf(t, append([]file{good}, nest(12)...)...), "packages hold each other deeper than 8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Read(c.zip, "hello-1.0.0")
			require.ErrorContains(t, err, c.want)
			require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err))
		})
	}
}

func nest(depth int) []file {
	var all []file
	at := "hello-1.0.0"
	for range depth {
		at += "/packages/a"
		all = append(all, file{name: at + "/package.yml", content: hello})
	}
	return all
}

func TestRead_HasLimits(t *testing.T) {
	t.Parallel()
	zeros := strings.Repeat("\x00", 1<<20)
	bomb := []file{{name: "hello-1.0.0/package.yml", content: hello}}
	for i := range 65 {
		bomb = append(bomb, file{name: "hello-1.0.0/zeros" + strings.Repeat("x", i), content: zeros})
	}
	many := make([]file, 0, MaxEntries+1)
	for i := range MaxEntries + 1 {
		many = append(many, file{name: "r/" + strings.Repeat("d", i%200+1) + "/" + strings.Repeat("f", i/200+1)})
	}
	text := zipOf(t, file{name: "hello-1.0.0/package.yml", content: hello},
		file{name: "hello-1.0.0/values.yml", content: strings.Repeat("#\n", MaxText/4)},
		file{name: "hello-1.0.0/packages/a/values.yml", content: strings.Repeat("#\n", MaxText/4)})
	for name, packed := range map[string][]byte{
		"text": text, "unpacked": zipOf(t, bomb...), "entries": zipOf(t, many...), "packed": make([]byte, MaxPacked+1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Read(packed, "hello-1.0.0")
			require.Equal(t, skipper.CodeTooLarge, skipper.CodeOf(err), "%v", err)
		})
	}
}

func TestRead_DoesNotBelieveSizes(t *testing.T) {
	t.Parallel()
	packed := zipOf(t, file{name: "hello-1.0.0/package.yml", content: hello})
	// The directory names the unpacked size at offset 24 of the entry; a wrong one must not be taken.
	at := bytes.Index(packed, []byte("PK\x01\x02"))
	packed[at+24] = 1
	_, err := Read(packed, "hello-1.0.0")
	require.ErrorContains(t, err, "cannot be read")
}

func TestWrite_IsReadAgainAndAlwaysTheSame(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"package.yml": hello, "values.yml": "a: 1\n", "templates/hello.yml": "b: {{a}}\n", ".git/config": "x", ".hidden": "x",
		"packages/dep/package.yml": "name: dep\nversion: 1.0.0\n",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	packed, err := Write(dir)
	require.NoError(t, err)
	again, err := Write(dir)
	require.NoError(t, err)
	require.Equal(t, packed, again)

	metadata, err := ReadMetadata(packed)
	require.NoError(t, err)
	require.Equal(t, "hello", metadata.Name)
	read, err := Read(packed, "hello-1.0.0")
	require.NoError(t, err)
	folder, err := ReadFolder(dir)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(folder, read))
	require.NotContains(t, string(packed), ".git")
}

func TestReadFolder_RefusesLinksAndWhatIsNotThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "package.yml"), []byte(hello), 0o600))
	require.NoError(t, os.Symlink("/etc/hostname", filepath.Join(dir, "values.yml")))
	_, err := ReadFolder(dir)
	require.ErrorContains(t, err, "not a plain file")
	_, err = ReadFolder(filepath.Join(dir, "nowhere"))
	require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err))
}

func TestWrite_RefusesANameThatIsNoFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	yml := strings.Replace(hello, "name: hello", "name: ../hello", 1)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "package.yml"), []byte(yml), 0o600))
	_, err := Write(dir)
	require.ErrorContains(t, err, "not a path below its root folder")
}

func FuzzRead(f *testing.F) {
	f.Add(zipOf(f, file{name: "hello-1.0.0/package.yml", content: hello}), "hello-1.0.0")
	f.Add(zipOf(f, file{name: "a/../b", content: hello}, file{name: `a\b`}), "a")
	f.Add(zipOf(f, nest(3)...), "hello-1.0.0")
	f.Add([]byte("PK\x05\x06"), "x")
	f.Fuzz(func(t *testing.T, packed []byte, root string) {
		p, err := Read(packed, root)
		if err == nil && (p.Metadata.Name == "" || p.Metadata.Kind == "") {
			t.Fatalf("a package without a name or a kind: %+v", p.Metadata)
		}
		if code := skipper.CodeOf(err); err != nil && code != skipper.CodeInvalid && code != skipper.CodeTooLarge {
			t.Fatalf("an error of code %s: %v", code, err)
		}
	})
}
