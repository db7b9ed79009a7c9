package templates

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/manifest"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// The bounds a hostile package must keep. The demand is 2 s; a test machine may be slow, so what is asserted is more.
const (
	maxHostileMemory = 256 // MB
	maxHostileTime   = 10 * time.Second
)

// hostileEnv names the shape that a child process is to render.
const hostileEnv = "SKIFF_TEST_HOSTILE"

// full is nearly the longest text YAML is read of; some shapes have a little around.
const full = 3<<20 - 1000

// fill repeats what f gives up to a size.
func fill(size int, f func(i int) string) string {
	var b strings.Builder
	for i := 0; ; i++ {
		next := f(i)
		if b.Len()+len(next) > size {
			return b.String()
		}
		b.WriteString(next)
	}
}

func repeat(text string, size int) string { return strings.Repeat(text, size/len(text)) }

func numbered(format string, size int) string {
	return fill(size, func(i int) string { return fmt.Sprintf(format, i) })
}

// hostileYAML are texts that cost as much as they can, by what they are made of.
func hostileYAML(size int) map[string]func() string {
	chain := func(first, format string, n int) string {
		for i := range n {
			first += fmt.Sprintf(format, i+1, i)
		}
		return first
	}
	return map[string]func() string{
		"items in brackets":        func() string { return "[" + repeat("a,", size) + "]" },
		"empty lists":              func() string { return "[" + repeat("[],", size) + "]" },
		"empty maps":               func() string { return "[" + repeat("{},", size) + "]" },
		"keys in braces":           func() string { return "{" + numbered("%x,", size) + "}" },
		"the same key":             func() string { return repeat("a:\n", size) },
		"many keys":                func() string { return numbered("%x:\n", size) },
		"keys with question marks": func() string { return repeat("? a\n", size) },
		"long keys": func() string {
			return fill(size, func(i int) string { return strconv.Itoa(i) + strings.Repeat("k", 1000) + ": v\n" })
		},
		"a long key":          func() string { return repeat("k", size) + ": v" },
		"keys that are lists": func() string { return numbered("? [%x]\n", size) },
		"keys in keys": func() string {
			return strings.Repeat("{? ", 49) + "[" + numbered("%x,", size) + "]" + strings.Repeat("}", 49)
		},
		"dashes":                 func() string { return repeat("-\n", size) },
		"dashes on a line":       func() string { return repeat("- - - - - - - -\n", size) },
		"deep brackets":          func() string { return repeat("[", size) },
		"deep braces":            func() string { return repeat("{a: ", size) },
		"deep dashes":            func() string { return repeat("- ", size) },
		"deep columns":           func() string { return fill(size, func(i int) string { return strings.Repeat(" ", i) + "a:\n" }) },
		"deep and wide":          func() string { return strings.Repeat("[", 49) + repeat("a,", size) + strings.Repeat("]", 49) },
		"one word":               func() string { return repeat("x", size) },
		"a word on many lines":   func() string { return "a: " + repeat("x\n ", size) },
		"empty lines in a text":  func() string { return "a: b" + repeat("\n", size) + " c" },
		"escapes":                func() string { return `a: "` + repeat(`\n`, size) + `"` },
		"escaped characters":     func() string { return `a: "` + repeat(`\u00e9`, size) + `"` },
		"a quote on many lines":  func() string { return `a: "` + repeat("b\n", size) + `"` },
		"an open quote":          func() string { return "a: '" + repeat("b ", size) },
		"literal":                func() string { return "a: |\n" + repeat(" x\n", size) },
		"folded":                 func() string { return "a: >\n" + repeat(" x\n", size) },
		"comments":               func() string { return repeat("#\n", size) },
		"comments behind dashes": func() string { return repeat("- #\n", size) },
		"documents":              func() string { return repeat("---\n", size) },
		"documents with keys":    func() string { return repeat("---\na: b\n", size) },
		"anchors":                func() string { return numbered("- &a%d\n", size) },
		"anchors of lists":       func() string { return numbered("- &a%d []\n", size) },
		"aliases":                func() string { return "- &a x\n" + repeat("- *a\n", size) },
		"long aliases":           func() string { return "- &a " + repeat("x", size/2) + "\n" + repeat("- *a\n", size/2) },
		"laughs": func() string {
			return chain("a0: &a0 ["+strings.Repeat("x,", 1000)+"]\n", "a%[1]d: &a%[1]d [*a%[2]d, *a%[2]d]\n", 20)
		},
		"merges":                 func() string { return repeat("- <<: {}\n", size) },
		"merges of a large map":  func() string { return "- &a {" + numbered("%x:,", size/2) + "}\n" + strings.Repeat("- <<: *a\n", 49) },
		"merges of merges":       func() string { return chain("- &a0 {"+numbered("%x:,", size/2)+"}\n", "- &a%d {<<: *a%d}\n", 48) },
		"numbers":                func() string { return repeat("- 1\n", size) },
		"large exponents":        func() string { return repeat("- 1e999999999\n", size) },
		"large numbers":          func() string { return repeat("- "+strings.Repeat("9", 1000)+"\n", size) },
		"one large number":       func() string { return "a: !!int " + repeat("9", size) },
		"one large hex number":   func() string { return "a: !!int 0x" + repeat("f", size) },
		"one large float":        func() string { return "a: !!float " + repeat("9", size) },
		"one sexagesimal number": func() string { return "a: !!int 1" + repeat(":1", size) },
		"sexagesimal numbers":    func() string { return repeat("- 1:1:1:1:1:1:1:1\n", size) },
		"dates":                  func() string { return repeat("- 9999-99-99\n", size) },
		"times":                  func() string { return repeat("- 2020-01-02 03:04:05.678 +01:00\n", size) },
		"tabs":                   func() string { return repeat("\t", size) },
		"tabs in quotes":         func() string { return repeat("- \"\t\"\n", size) },
		"byte order marks":       func() string { return "a: " + repeat("\ufeff", size) },
		"tags":                   func() string { return repeat("- !!str\n", size) },
		"a long tag":             func() string { return "!" + repeat("x", size) + " a" },
		"binary":                 func() string { return "a: !!binary " + repeat("AAAA", size) },
		"sets":                   func() string { return "!!set {" + numbered("%x,", size) + "}" },
		"ordered maps":           func() string { return "!!omap [" + numbered("%x: b,", size) + "]" },
		"pairs in brackets":      func() string { return "[" + repeat("a: b,", size) + "]" },
		"directives":             func() string { return numbered("%%TAG !%x! tag:x\n", size) + "--- a" },
		"astral characters":      func() string { return "a: " + repeat("\U0001F600", size) },
		"plain values":           func() string { return numbered("key%[1]d: value %[1]d of many\n", size) },
	}
}

// hostile gives the package of a shape, and the values of the request.
func hostile(shape string) (p skipper.Package, overrides string) {
	kind, name, _ := strings.Cut(shape, ": ")
	switch kind {
	case "values":
		return packageOf("app", "a: {{#m}}{{/m}}", hostileYAML(full)[name]()), ""
	case "request":
		return packageOf("app", "a: {{#m}}{{/m}}", hostileYAML(full)[name]()), hostileYAML(full)[name]()
	case "rendered":
		text := hostileYAML(full / 3)[name]()
		return packageOf("app", "{{{m}}}", "m: "+strconv.Quote(text)), ""
	default:
		return hostilePackages()[shape](), ""
	}
}

// hostilePackages are hostile by their templates, or by how many they hold.
func hostilePackages() map[string]func() skipper.Package {
	const loop, end = "{{#m.entrySet}}", "{{/m.entrySet}}"
	ten := "m: {a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7, h: 8, i: 9, j: 0}\n"
	large := "m: {" + numbered("k%d: v,", 1<<20) + "}\nv: " + strings.Repeat("=", 1<<20) + "\n"
	group := func(n int, make func(i int) skipper.Package) skipper.Package {
		p := skipper.Package{Metadata: skipper.PackageMetadata{Name: "group"}}
		for i := range n {
			p.Dependencies = append(p.Dependencies, make(i))
		}
		return p
	}
	return map[string]func() skipper.Package{
		"sections": func() skipper.Package { return packageOf("app", repeat("{{#m}}{{/m}}", maxTemplate), ten) },
		"nested sections": func() skipper.Package {
			return packageOf("app", strings.Repeat("{{#m}}", 100_000)+strings.Repeat("{{/m}}", 100_000), ten)
		},
		"deep sections": func() skipper.Package {
			deep := strings.Repeat("{{#m}}", maxNesting) + "{{x.y}}" + strings.Repeat("{{/m}}", maxNesting)
			return packageOf("app", repeat(deep, maxTemplate/2), ten+"x: {y: z}\n")
		},
		"missing sections": func() skipper.Package {
			return packageOf("app", repeat("{{#no.such.name}}{{/no.such.name}}", maxTemplate), ten)
		},
		"nested loops": func() skipper.Package {
			return packageOf("app", strings.Repeat(loop, 12)+"x"+strings.Repeat(end, 12), ten)
		},
		"nested loops of nothing": func() skipper.Package {
			return packageOf("app", strings.Repeat(loop, 20)+strings.Repeat(end, 20), ten)
		},
		"loops over a large map": func() skipper.Package { return packageOf("app", repeat(loop+end, maxTemplate), large) },
		"long values":            func() skipper.Package { return packageOf("app", repeat("{{v}}", maxTemplate), large) },
		"large maps as text":     func() skipper.Package { return packageOf("app", repeat("{{m}}", maxTemplate), large) },
		"variables":              func() skipper.Package { return packageOf("app", repeat("{{v}}", maxTemplate), "v: x") },
		"delimiters":             func() skipper.Package { return packageOf("app", repeat("{{=<% %>=}}<%={{ }}=%>", maxTemplate), ten) },
		"open tags":              func() skipper.Package { return packageOf("app", repeat("{{", maxTemplate), ten) },
		"open tags with text":    func() skipper.Package { return packageOf("app", repeat("{{a{{", maxTemplate), ten) },
		"line breaks":            func() skipper.Package { return packageOf("app", repeat("{{! }}\n", maxTemplate), ten) },
		"a large template":       func() skipper.Package { return packageOf("app", repeat("x", 32<<20), "") },
		"many templates": func() skipper.Package {
			p := packageOf("app", "", ten)
			for range 10_000 {
				p.Templates = append(p.Templates, skipper.Template{Name: strings.Repeat("n", 300), Data: loop + "a: 1\n" + end})
			}
			return p
		},
		"large templates": func() skipper.Package {
			p := packageOf("app", "", ten)
			for range 60 {
				p.Templates = append(p.Templates, skipper.Template{Name: "a.yml", Data: repeat("{{a{{", maxTemplate)})
			}
			return p
		},
		"many dependencies": func() skipper.Package {
			return group(10_000, func(i int) skipper.Package {
				return packageOf("d"+strconv.Itoa(i), "kind: SpringCloudDeployerApplication\nmetadata: {name: d"+strconv.Itoa(i)+"}\n", "a: 1")
			})
		},
		"large dependencies": func() skipper.Package {
			values := numbered("%x: 1\n", 1<<20)
			return group(60, func(i int) skipper.Package { return packageOf("d"+strconv.Itoa(i), "a: 1", values) })
		},
		"dependencies with comments": func() skipper.Package {
			values := repeat("#\n", full)
			return group(20, func(i int) skipper.Package { return packageOf("d"+strconv.Itoa(i), "a: 1", values) })
		},
		"deep dependencies": func() skipper.Package {
			p := packageOf("d", "a: 1", ten)
			for range 1000 {
				p = skipper.Package{Metadata: p.Metadata, Dependencies: []skipper.Package{p}}
			}
			return p
		},
		"lists that are merged": func() skipper.Package {
			list := numbered("%d,", 500_000)
			p := group(1, func(int) skipper.Package { return packageOf("d0", "a: '{{l}}'", "l: [x, "+list+"]\n") })
			parent := "d0: {l: [" + list + "]}\n"
			p.ConfigValues = &skipper.ConfigValues{Raw: &parent}
			return p
		},
		"properties": func() skipper.Package {
			properties := "spec: {resource: 'file:///x', applicationProperties: {" + numbered("p%d: v,", 1<<20) + "}}\n"
			return packageOf("app", "kind: SpringCloudDeployerApplication\nmetadata: {name: app}\nspec:\n  resource: x\n"+
				"  applicationProperties:\n{{#spec.applicationProperties.entrySet}}    {{key}}: {{value}}\n"+
				"{{/spec.applicationProperties.entrySet}}", properties)
		},
		"colliding keys": func() skipper.Package {
			// In Java all of these have one hash: Aa and BB do.
			keys := fill(1<<20, func(i int) string {
				key := ""
				for bit := range 16 {
					key += []string{"Aa", "BB"}[i>>bit&1]
				}
				return key + ": 1\n"
			})
			return packageOf("app", loop+"x"+end, "m:\n  "+strings.ReplaceAll(keys, "\n", "\n  "))
		},
	}
}

// costliest are the shapes that come nearest to a bound, one for each part that could break it: the reader of YAML, the merge
// of keys, the renderer, and the dump.
var costliest = []string{
	"values: merges of merges", "values: keys in keys", "values: laughs", "rendered: ordered maps", "large maps as text",
	"nested loops", "many dependencies",
}

// hostileShapes lists the shapes to try: the costliest, or all when the environment asks for them, as CI does.
func hostileShapes() []string {
	if os.Getenv(hostileEnv+"_ALL") == "" {
		return costliest
	}
	shapes := slices.Collect(maps.Keys(hostilePackages()))
	for name := range hostileYAML(0) {
		shapes = append(shapes, "values: "+name, "rendered: "+name)
	}
	shapes = append(shapes, "request: plain values", "request: long keys")
	slices.Sort(shapes)
	return shapes
}

// TestHostilePackages_StayWithinBounds renders each shape in a process of its own, whose peak of memory can be seen, and
// compares what comes out with itself, as an upgrade would.
func TestHostilePackages_StayWithinBounds(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/status"); err != nil || testing.Short() || isRaceBuild() {
		t.Skip("needs Linux, and measures nothing with the race detector")
	}
	for _, shape := range hostileShapes() {
		t.Run(shape, func(t *testing.T) {
			t.Parallel()
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestRender_InAProcessOfItsOwn$")
			child.Env = append(os.Environ(), hostileEnv+"="+shape, "GOMEMLIMIT=off", "GOGC=100")
			out, err := child.CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Contains(t, string(out), "hostile: ")
			report := lineWith(string(out), "hostile: ")
			t.Log(report)
			var cpu, peak int
			_, figures, _ := strings.Cut(report, " cpu ")
			_, err = fmt.Sscanf(figures, "%d ms peak %d MB", &cpu, &peak)
			require.NoError(t, err, report)
			require.Less(t, peak, maxHostileMemory, report)
			require.Less(t, time.Duration(cpu)*time.Millisecond, maxHostileTime, report)
		})
	}
}

// TestRender_InAProcessOfItsOwn does what a server does with a package, in the child process of the test above.
func TestRender_InAProcessOfItsOwn(t *testing.T) {
	t.Parallel()
	shape := os.Getenv(hostileEnv)
	if shape == "" {
		t.Skip("only for TestHostilePackages_StayWithinBounds")
	}
	p, overrides := hostile(shape)
	var before, after syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &before))
	text, err := Render(p, overrides)
	if err == nil {
		_, err = manifest.Compare(text, text, manifest.Force{})
	}
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &after))
	message := "fine"
	if err != nil {
		require.Equal(t, skipper.CodeInvalid, skipper.CodeOf(err), "%v", err)
		message = err.Error()
	}
	require.Less(t, len(message), 5000, "an error that fills the log")
	cpu := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	fmt.Printf("\nhostile: %-36s cpu %5d ms peak %4d MB manifest %8d B %.100s\n", //nolint:forbidigo // read by the parent
		shape, cpu.Milliseconds(), peakMemory(t), len(text), strings.ReplaceAll(message, "\n", " "))
}

// peakMemory is the most memory the process had so far, in MB. The usage of resources knows it too, but counts what its
// parent had.
func peakMemory(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	fields := strings.Fields(lineWith(string(status), "VmHWM:"))
	require.Len(t, fields, 3)
	kB, err := strconv.Atoi(fields[1])
	require.NoError(t, err)
	return kB / 1024
}

func lineWith(text, prefix string) string {
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, prefix) {
			return line
		}
	}
	return ""
}

func isRaceBuild() bool {
	info, _ := debug.ReadBuildInfo()
	return info != nil && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
