package survival

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/skiff-project/skiff/repository/postgrestest"
)

// atOnce is how many tests run at the same time: they wait for servers most of their time.
const atOnce = "8"

// full skips a test that takes long, unless all of them are asked for: make survive does.
func full(t *testing.T) {
	t.Helper()
	if os.Getenv("TEST_FULL") == "" {
		t.Skip("it takes long: make survive runs it")
	}
}

// built holds what TestMain builds: the server with failpoints, and the sample application in three versions.
var built struct{ skiff, apps string }

var cluster postgrestest.Cluster

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := build(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(code)
}

func build(m *testing.M) (int, error) {
	if err := flag.Set("test.parallel", atOnce); err != nil {
		return 0, err
	}
	dir, err := os.MkdirTemp("", "skiff-survival")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	built.skiff, built.apps = filepath.Join(dir, "skiff"), filepath.Join(dir, "apps")
	jobs := [][]string{{"build", "-tags", "faults", "-o", built.skiff, "../../skiff"}}
	for _, v := range []string{"1.0.0", "1.1.0", "1.2.0"} {
		jobs = append(jobs, []string{
			"build", "-ldflags", "-X main.version=" + v, "-o", filepath.Join(built.apps, "hello-"+v),
			"../../../testdata/apps/hello",
		})
	}
	for _, args := range jobs {
		cmd := exec.Command("go", args...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return 0, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}
	code := cluster.Run(m)
	if err := goleak.Find(); err != nil && code == 0 {
		return 1, err
	}
	return code, nil
}
