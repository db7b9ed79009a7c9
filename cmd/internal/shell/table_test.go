package shell

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

// The tables are those of the Skipper shell 2.11.5, as it printed them.
func TestDraw(t *testing.T) {
	t.Parallel()
	list := []string{
		"Name", "Version", "Last updated", "Status", "Package Name", "Package Version", "Platform Name", "Platform Status",
	}
	tests := []struct {
		name   string
		header []string
		rows   [][]string
		width  int
		want   string
	}{
		{"as wide as its contents", []string{"Name", "URL", "Local", "Order"}, [][]string{
			{"far", "http://127.0.0.1:27600", "false", "0"},
			{"local", "http://skipper.example:7577", "true", "1"},
		}, 160, `
╔═════╤═══════════════════════════╤═════╤═════╗
║Name │            URL            │Local│Order║
╠═════╪═══════════════════════════╪═════╪═════╣
║far  │http://127.0.0.1:27600     │false│0    ║
║local│http://skipper.example:7577│true │1    ║
╚═════╧═══════════════════════════╧═════╧═════╝

`},
		{"no rows", list, nil, 160, `
╔════╤═══════╤════════════╤══════╤════════════╤═══════════════╤═════════════╤═══════════════╗
║Name│Version│Last updated│Status│Package Name│Package Version│Platform Name│Platform Status║
╚════╧═══════╧════════════╧══════╧════════════╧═══════════════╧═════════════╧═══════════════╝

`},
		{"wider than the terminal", list, [][]string{
			{
				"site", "1", "Sun Nov 22 22:00:20 UTC 2026", "DEPLOYED", "web", "1.0.0", "default",
				"[site.web-v1], State = [site.web-v1-0=deployed]",
			},
			{
				"twins", "1", "Sun Nov 22 22:00:26 UTC 2026", "DEPLOYED", "duo", "1.0.0", "second",
				"[twins.left-v1], State = [twins.left-v1-0=deployed]\n[twins.right-v1], State = [twins.right-v1-0=deployed]",
			},
		}, 100, `
╔═════╤═══════╤════════════╤════════╤════════╤════════╤═════════╤════════════════════════════════╗
║Name │Version│Last updated│ Status │Package │Package │Platform │        Platform Status         ║
║     │       │            │        │  Name  │Version │  Name   │                                ║
╠═════╪═══════╪════════════╪════════╪════════╪════════╪═════════╪════════════════════════════════╣
║site │1      │Sun Nov 22  │DEPLOYED│web     │1.0.0   │default  │[site.web-v1], State =          ║
║     │       │22:00:20 UTC│        │        │        │         │[site.web-v1-0=deployed]        ║
║     │       │2026        │        │        │        │         │                                ║
║twins│1      │Sun Nov 22  │DEPLOYED│duo     │1.0.0   │second   │[twins.left-v1], State =        ║
║     │       │22:00:26 UTC│        │        │        │         │[twins.left-v1-0=deployed]      ║
║     │       │2026        │        │        │        │         │[twins.right-v1], State =       ║
║     │       │            │        │        │        │         │[twins.right-v1-0=deployed]     ║
╚═════╧═══════╧════════════╧════════╧════════╧════════╧═════════╧════════════════════════════════╝

`},
		{"no header", nil, [][]string{
			{"Last Deployed", "Sun Nov 22 22:02:28 UTC 2026"},
			{"Status", "DEPLOYED"},
			{"Platform Status", "All applications have been successfully deployed.\n" +
				"[many.web-v1], State = [many.web-v1-1=deployed\nmany.web-v1-0=deployed]"},
		}, 160, `
╔═══════════════╤═════════════════════════════════════════════════╗
║Last Deployed  │Sun Nov 22 22:02:28 UTC 2026                     ║
║Status         │DEPLOYED                                         ║
║Platform Status│All applications have been successfully deployed.║
║               │[many.web-v1], State = [many.web-v1-1=deployed   ║
║               │many.web-v1-0=deployed]                          ║
╚═══════════════╧═════════════════════════════════════════════════╝

`},
		{"one long cell", []string{"Name", "Type", "Description"}, [][]string{{
			"default", "local", "ShutdownTimeout = [10], EnvVarsToInherit = [TMP,LANG,LANGUAGE,LC_.*,PATH,SPRING_APPLICATION_JSON], " +
				"JavaCmd = [java], WorkingDirectoriesRoot = [/tmp], DeleteFilesOnExit = [true]",
		}}, 100, `
╔═══════╤═════╤════════════════════════════════════════════════════════════════════════════════════╗
║ Name  │Type │                                    Description                                     ║
╠═══════╪═════╪════════════════════════════════════════════════════════════════════════════════════╣
║default│local│ShutdownTimeout = [10], EnvVarsToInherit =                                          ║
║       │     │[TMP,LANG,LANGUAGE,LC_.*,PATH,SPRING_APPLICATION_JSON], JavaCmd = [java],           ║
║       │     │WorkingDirectoriesRoot = [/tmp], DeleteFilesOnExit = [true]                         ║
╚═══════╧═════╧════════════════════════════════════════════════════════════════════════════════════╝

`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := draw(tt.header, tt.rows, tt.width)
			require.Empty(t, cmp.Diff(strings.TrimPrefix(tt.want, "\n"), got))
		})
	}
}
