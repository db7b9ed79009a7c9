package cli

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/pkg/yamlx"
)

const (
	defaultPatience = 5 * time.Minute
	maxTimeout      = 30 * 24 * time.Hour // as the server has it
)

// waitOptions say how a command that changes a release is sent, and whether its end is waited for.
type waitOptions struct {
	wait, noWait bool
	timeout      time.Duration
	expression   string // the timeout as Skipper's shell has it

	key, onConflict string
}

// commandFlags are those of every command that changes a release.
func (o *waitOptions) commandFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.wait, "wait", false, "wait for the end and show what happens (default on a terminal)")
	cmd.Flags().BoolVar(&o.noWait, "no-wait", false, "return when the server took it over (default without a terminal)")
	cmd.Flags().StringVar(&o.key, "idempotency-key", "",
		"name of this request: sent again with the same one, nothing is done twice")
	cmd.Flags().StringVar(&o.onConflict, "on-conflict", "",
		"while another operation runs on the release: fail (default), queue, or supersede it")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error { return o.check(cmd) }
}

// flags are those of an install: its timeout is that of --wait.
func (o *waitOptions) flags(cmd *cobra.Command, otherwise time.Duration, usage string) {
	o.commandFlags(cmd)
	cmd.Flags().DurationVar(&o.timeout, "timeout", otherwise, usage)
}

// healthFlags are those of an upgrade: its timeout is the server's, also when nobody waits.
func (o *waitOptions) healthFlags(cmd *cobra.Command) {
	o.flags(cmd, 0, "how long the new applications may take to become healthy, as 60s (default: the server's)")
	cmd.Flags().StringVar(&o.expression, "timeout-expression", "",
		"--timeout as Skipper writes it: 60s, 60000 (milliseconds) or PT60S")
}

// check reads the time limit where it is given: without one, 0 may stand for the server's own.
func (o *waitOptions) check(cmd *cobra.Command) error {
	if err := exclusive(cmd, "wait", "no-wait"); err != nil {
		return err
	}
	flag := "timeout"
	if o.expression != "" {
		if cmd.Flags().Changed(flag) {
			return usagef("--timeout and --timeout-expression are the same: give one of them")
		}
		flag = "timeout-expression"
		var err error
		if o.timeout, err = parseExpression(o.expression); err != nil {
			return err
		}
	}
	switch {
	case !cmd.Flags().Changed(flag):
	case o.timeout <= 0:
		return usagef("--%s is %s: use a time above 0, as 60s", flag, o.timeout)
	case o.timeout > maxTimeout:
		return usagef("--%s is %s: use at most 720h, which is 30 days", flag, o.timeout)
	}
	if err := o.options().Check(); err != nil {
		return usagef("--on-conflict or --idempotency-key: %w", err)
	}
	return nil
}

func (o *waitOptions) options() skipper.CommandOptions {
	return skipper.CommandOptions{OnConflict: skipper.OnConflict(o.onConflict), IdempotencyKey: o.key}
}

// milliseconds gives the timeout as the server takes it; nil leaves it to the server.
func (o *waitOptions) milliseconds() *int64 {
	if o.timeout == 0 {
		return nil
	}
	ms := max(1, o.timeout.Milliseconds())
	return &ms
}

var (
	simpleDuration = regexp.MustCompile(`^([+-]?\d+)(ns|ms|s|m|h|d)?$`)
	isoDuration    = regexp.MustCompile(`^([+-]?)P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d{1,9}))?S)?)?$`)
)

// parseExpression reads a duration as Spring does: a number with a unit, milliseconds without one, or ISO 8601.
func parseExpression(text string) (time.Duration, error) {
	units := map[string]time.Duration{
		"": time.Millisecond, "ns": 1, "ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
		"d": 24 * time.Hour,
	}
	if m := simpleDuration.FindStringSubmatch(strings.ToLower(text)); m != nil {
		n, err := strconv.ParseInt(m[1], 10, 64)
		unit := units[m[2]]
		if err != nil || n > int64(maxTimeout/unit)+1 || n < -int64(maxTimeout/unit) {
			return maxTimeout + 1, nil //nolint:nilerr // too large to be read is too long, which is refused as such
		}
		return time.Duration(n) * unit, nil
	}
	m := isoDuration.FindStringSubmatch(strings.ToUpper(text))
	if m == nil || strings.Join(m[2:], "") == "" {
		return 0, usagef("--timeout-expression: '%s' is not a valid duration; use 60s, 60000 (milliseconds) or PT60S", text)
	}
	total := time.Duration(0)
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		if m[i+2] == "" {
			continue
		}
		n, err := strconv.ParseInt(m[i+2], 10, 32)
		if err != nil || n > int64(maxTimeout/unit)+1 {
			return maxTimeout + 1, nil //nolint:nilerr // as above
		}
		total += time.Duration(n) * unit
	}
	if fraction := m[6]; fraction != "" {
		n, _ := strconv.Atoi((fraction + "000000000")[:9]) // digits only
		total += time.Duration(n)
	}
	if m[1] == "-" {
		total = -total
	}
	return total, nil
}

// valueOptions are the values that an install or upgrade gives to its package.
type valueOptions struct {
	file, properties string
}

func (o *valueOptions) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.file, "file", "", "YAML file of values; - reads standard input")
	cmd.Flags().StringVar(&o.properties, "properties", "", "values as key=value,…; a dot leads into a map")
}

// given reads the values; nil without any.
func (c *cli) given(o valueOptions) (*skipper.ConfigValues, error) {
	raw := ""
	switch {
	case o.file != "" && o.properties != "" && c.Style == nil:
		return nil, usagef("--file and --properties are both given, and only one of them counts: put all values into the file")
	case o.file != "":
		text, err := c.readFile(o.file, "--file")
		if err != nil {
			return nil, usagef("%w", err)
		}
		raw = text
	case o.properties != "":
		values, err := properties(o.properties)
		if err != nil {
			return nil, err
		}
		raw = yamlx.Plain(values)
	default:
		return nil, nil
	}
	return &skipper.ConfigValues{Raw: &raw}, nil
}

// readFile reads a file that a flag names; - is standard input.
func (c *cli) readFile(file, flag string) (string, error) {
	var b []byte
	var err error
	if file == "-" {
		b, err = io.ReadAll(io.LimitReader(c.In, maxFile+1))
	} else {
		var f *os.File
		if f, err = os.Open(file); err == nil {
			b, err = io.ReadAll(io.LimitReader(f, maxFile+1))
			_ = f.Close() // it was only read
		}
	}
	switch {
	case err != nil:
		return "", fmt.Errorf("%s cannot be read: %w", flag, err)
	case len(b) > maxFile:
		return "", fmt.Errorf("%s: %s has more than %d bytes, which is the most that values may have", flag, file, maxFile)
	}
	return string(b), nil
}

const maxFile = 4 << 20

// properties reads key=value,… as the Skipper shell does: a part without = belongs to the value before it, dots lead
// into maps, and what follows applicationProperties. or deploymentProperties. is one key. All values are texts.
func properties(text string) (*yamlx.Map, error) {
	var pairs []string
	for part := range strings.SplitSeq(text, ",") {
		if strings.Contains(part, "=") || len(pairs) == 0 {
			pairs = append(pairs, part)
			continue
		}
		pairs[len(pairs)-1] += "," + part
	}
	all := yamlx.NewMap()
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok || key == "" {
			return nil, usagef("--properties: %q has no key: write key=value,…", pair)
		}
		if err := put(all, keys(key), value); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func put(m *yamlx.Map, path []string, value string) error {
	for i, key := range path {
		if key == "" {
			return usagef("--properties: the key %s has an empty part", strings.Join(path, "."))
		}
		if i == len(path)-1 {
			m.Put(key, value)
			return nil
		}
		next, _ := m.Get(key)
		inner, ok := next.(*yamlx.Map)
		if next != nil && !ok {
			return usagef("--properties: %s is a value and a map at once: leave one of them out",
				strings.Join(path[:i+1], "."))
		}
		if !ok {
			inner = yamlx.NewMap()
			m.Put(key, inner)
		}
		m = inner
	}
	return nil
}
