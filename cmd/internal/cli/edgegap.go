package cli

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/edgegap"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// Where the token of Edgegap and its address are taken from, when no account is named. There is no flag for the token:
// everybody on the machine could see it in the list of processes.
const (
	edgegapToken = "EDGEGAP_TOKEN" //nolint:gosec // the name of a variable
	edgegapURL   = "EDGEGAP_URL"
)

const edgegapLong = `Speak to Edgegap itself, without a server of skiff in between: what runs there, whose it is, and stop it.

The token is that of EDGEGAP_TOKEN (and EDGEGAP_URL another address than https://api.edgegap.com), or that of an account
under platform.edgegap.accounts of the server's configuration: --account names it, --config the file. Without either flag
EDGEGAP_TOKEN comes first.

JSON has Edgegap's own names. The tables leave out the tags that skiff marks its deployments with (sk-…).`

// edge is what the commands for Edgegap share.
type edge struct {
	*cli

	account, config string
}

func newEdgegap(c *cli) *cobra.Command {
	e := &edge{cli: c}
	cmd := group("edgegap", "Speak to Edgegap itself: deployments, applications, tags, fleets",
		newEdgegapDeployments(e), newEdgegapStatus(e), newEdgegapLogs(e), newEdgegapMetrics(e), newEdgegapDeploy(e),
		newEdgegapStop(e), newEdgegapBulkStop(e), newEdgegapSelfStop(e), newEdgegapTags(e), newEdgegapApps(e),
		newEdgegapVersions(e), newEdgegapFleets(e), newEdgegapLocations(e), newEdgegapFake(c))
	cmd.Long = edgegapLong
	return cmd
}

// asks makes a command speak to Edgegap, for the account that is named.
func (e *edge) asks(
	cmd *cobra.Command, f func(ctx context.Context, client *edgegap.Client, args []string) error,
) *cobra.Command {
	cmd.Flags().StringVar(&e.account, "account", "", "account of the server's configuration (default: "+edgegapToken+
		", then the only account there is)")
	cmd.Flags().StringVar(&e.config, "config", "", "configuration file of the server (default skiff.yml, if it is there)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		options, err := e.options()
		if err != nil {
			return err
		}
		options.Clock, options.UserAgent = edgegapClock{e.Clock, e.after}, "skiff/"+e.Version
		client, err := edgegap.New(options)
		if err != nil {
			return e.fault(err)
		}
		defer client.Close()
		return e.fault(f(cmd.Context(), client, args))
	}
	return cmd
}

// options say how Edgegap is reached.
func (e *edge) options() (edgegap.Options, error) {
	if e.fromEnvironment() {
		return edgegap.Options{Token: e.Env(edgegapToken), BaseURL: e.Env(edgegapURL)}, nil
	}
	options, err := e.Edgegap(e.config, e.account)
	if err != nil {
		return edgegap.Options{}, coded{err, skipper.CodeOf(err)}
	}
	return options, nil
}

func (e *edge) fromEnvironment() bool {
	return e.account == "" && e.config == "" && e.Env(edgegapToken) != ""
}

// fault gives what Edgegap refused the code it has here, and says what to do where Edgegap does not.
func (e *edge) fault(err error) error {
	failed, ok := errors.AsType[*edgegap.Error](err)
	if !ok {
		return err
	}
	code, remedy := skipper.CodeUnavailable, ""
	switch failed.Kind {
	case edgegap.KindInvalid:
		code = skipper.CodeInvalid
	case edgegap.KindUnauthorized:
		code, remedy = skipper.CodeUnauthorized, "check the token of the account"
		if e.fromEnvironment() {
			remedy = "check the token in " + edgegapToken
		}
	case edgegap.KindNotFound, edgegap.KindGone:
		code = skipper.CodeNotFound
	case edgegap.KindConflict:
		code = skipper.CodeConflict
	case edgegap.KindImage:
		code, remedy = skipper.CodeInvalid, "check the image, its tag and the login of its registry"
	case edgegap.KindUnallocated:
		code, remedy = skipper.CodeInternal, "deployment "+failed.RequestID+" is there in error: stop it"
	case edgegap.KindRateLimited:
		remedy = "the organization asks too often; try again later"
	case edgegap.KindCancelled:
		code = skipper.CodeCancelled
	case edgegap.KindUnavailable:
	}
	if failed.MayHaveHappened && failed.Kind != edgegap.KindUnallocated {
		remedy = "it may have happened all the same: look before asking again"
	}
	if remedy != "" {
		err = fmt.Errorf("%s; %s", strings.TrimSuffix(err.Error(), "."), remedy)
	}
	return coded{err, code}
}

// edgegapClock is the clock of the command line, for the pauses of Edgegap's client.
type edgegapClock struct {
	now   func() time.Time
	after func(time.Duration) <-chan time.Time
}

// Now gives the time.
func (c edgegapClock) Now() time.Time { return c.now() }

// Wait returns after d, or with the context's error when that ends first.
func (c edgegapClock) Wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
	case <-c.after(d):
	}
	return ctx.Err()
}

// pages are the flags of a list that may be long: one page of it, or all.
type pages struct {
	number, limit int
}

func (p *pages) flags(cmd *cobra.Command) {
	cmd.Flags().IntVar(&p.number, "page", 0, "show one page, counted from 1 (default: all of them)")
	cmd.Flags().IntVar(&p.limit, "limit", 0, "show one page of so many, at most 100")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		for name, value := range map[string]int{"page": p.number, "limit": p.limit} {
			if cmd.Flags().Changed(name) && (value < 1 || name == "limit" && value > edgegap.MaxPageSize) {
				return usagef("--%s is %d: pages count from 1, and have 1 to %d items", name, value, edgegap.MaxPageSize)
			}
		}
		return nil
	}
}

// listed gives the page that is asked for, or all items.
func listed[T any](
	c *cli, p pages, all iter.Seq2[T, error], one func(edgegap.Paging) (edgegap.Page[T], error),
) ([]T, error) {
	items := []T{}
	if p.number == 0 && p.limit == 0 {
		for item, err := range all {
			if err != nil {
				return nil, err
			}
			items = append(items, item)
		}
		return items, nil
	}
	page, err := one(edgegap.Paging{Number: p.number, Limit: p.limit})
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf("page %d", page.Number)
	if page.Pages > 0 {
		text += " of " + strconv.Itoa(page.Pages)
	}
	text += fmt.Sprintf(", %d in all", page.Total)
	if page.Next > 0 {
		text += fmt.Sprintf("; --page %d shows the next", page.Next)
	}
	return append(items, page.Items...), c.tell("%s\n", text)
}

// when writes a time of Edgegap for people.
func when(t edgegap.Time) string {
	if t.IsZero() {
		return ""
	}
	return moment(skipper.At(t.Time))
}

// exactly takes the arguments of these names, all of which have to be given.
func exactly(names ...string) cobra.PositionalArgs {
	return between(len(names), names...)
}

// between takes the arguments of these names, of which the first few have to be given.
func between(least int, names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > len(names) {
			return usagef("%q is one argument too many", args[len(names)])
		}
		for i, name := range names {
			switch {
			case i >= len(args) && i < least:
				return usagef("%s is missing", name)
			case i < len(args) && args[i] == "":
				return usagef("%s is empty", name)
			}
		}
		return nil
	}
}

// assignments reads NAME=VALUE, and names whose values are those of this process' environment.
func (e *edge) assignments(plain, secret []string) ([]edgegap.Variable, error) {
	var out []edgegap.Variable
	for _, text := range plain {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, usagef("--env is %q: write NAME=VALUE", text)
		}
		out = append(out, edgegap.Variable{Key: name, Value: value})
	}
	for _, name := range secret {
		value := e.Env(name)
		if value == "" {
			return nil, usagef("--secret-env names %s, which is not set here: export it first", name)
		}
		out = append(out, edgegap.Variable{Key: name, Value: value, Hidden: true})
	}
	return out, nil
}

// variableFlags adds those that assignments reads.
func variableFlags(cmd *cobra.Command, plain, secret *[]string) {
	cmd.Flags().StringArrayVar(plain, "env", nil, "variable of the container, as NAME=VALUE; may be repeated")
	cmd.Flags().StringArrayVar(secret, "secret-env", nil,
		"variable of the container with the value it has here, hidden from the dashboard; may be repeated")
}
