package local

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// plan is how the instances of a request are started.
type plan struct {
	request  deployer.Request
	id       string
	settings Settings
	command  []string // program and arguments; a debug option goes between, see arguments
	java     bool
	failed   string // why nothing can be started, though the deployment is accepted
}

// plan prepares the start of instances. A file that is not there is no error: the deployment is accepted and its
// instances have failed, as in the reference. A missing java is: no retry and no other file would help.
func (d *Deployer) plan(ctx context.Context, id string, r deployer.Request) (plan, error) {
	s, err := d.settings(r)
	if err != nil {
		return plan{}, err
	}
	p := plan{request: r, id: id, settings: s}
	file, err := d.Resolver.File(ctx, r.Resource)
	if err != nil {
		return p, p.refuse(ctx, err)
	}
	if p.java, err = isJar(file); err != nil {
		p.failed = fmt.Sprintf("%s cannot be read: %v", file, err)
		return p, nil
	}
	p.command = []string{file}
	if p.java {
		if s.debugOption(0) == "" && (s.DebugAddress != "" || s.DebugPort > 0) { // as in the reference
			d.Logger.WarnContext(ctx, "no debugger: the address is none", "deployment", id, "debug_address", s.DebugAddress,
				"debug_port", s.DebugPort)
		}
		p.command, err = d.javaCommand(s, r, file)
	}
	return p, err
}

// refuse decides what an unresolved resource means.
func (p *plan) refuse(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return deployer.Errorf(deployer.ErrUnavailable, "%w", err)
	}
	switch skipper.CodeOf(err) {
	case skipper.CodeNotFound:
		p.failed = skipper.MessageOf(err)
		return nil
	case skipper.CodeInvalid:
		return deployer.Errorf(deployer.ErrInvalid, "%w", err)
	case skipper.CodeUnsupported:
		return deployer.Errorf(deployer.ErrUnsupported, "%w", err)
	default:
		return deployer.Errorf(deployer.ErrUnavailable, "%w", err)
	}
}

// isJar goes by the first bytes; by the name only where it says jar.
func isJar(file string) (bool, error) {
	f, err := os.Open(file)
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }() // it was only read
	head := make([]byte, 4)
	if _, err := io.ReadFull(f, head); err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return false, err
	}
	return string(head) == "PK\x03\x04" || strings.HasSuffix(file, ".jar"), nil
}

// javaCommand is java with its options; the debug option is added for each instance.
func (d *Deployer) javaCommand(s Settings, r deployer.Request, jar string) ([]string, error) {
	java, err := d.java(s, r)
	if err != nil {
		return nil, err
	}
	command := []string{java}
	options := strings.Fields(s.JavaOpts)
	if heap, err := maxHeap(r); err != nil {
		return nil, err
	} else if heap > 0 && !strings.Contains(" "+s.JavaOpts, " -Xmx") {
		command = append(command, fmt.Sprintf("-Xmx%dm", heap))
	}
	return append(append(command, options...), "-jar", jar), nil
}

func maxHeap(r deployer.Request) (int, error) {
	if size := r.Deployment[deployer.MemoryKey]; size != "" {
		return deployer.Megabytes(size)
	}
	return 0, nil
}

// java finds the java program: java-cmd, java-home-path for the application's version of Spring Boot, JAVA_HOME, PATH.
func (d *Deployer) java(s Settings, r deployer.Request) (string, error) {
	version := r.Deployment[deployer.PropertyPrefix+"bootVersion"]
	if version == "" {
		version = cmp.Or(r.Deployment[deployer.PropertyPrefix+"boot-version"], "3")
	}
	candidates := []string{s.JavaCmd}
	if s.JavaCmd == "" || s.JavaCmd == "java" {
		candidates = nil
		for _, home := range []string{s.JavaHomePath[version], d.variable("JAVA_HOME")} {
			if home != "" {
				candidates = append(candidates, filepath.Join(home, "bin", "java"))
			}
		}
		candidates = append(candidates, "java")
	}
	for _, c := range candidates {
		if found, err := exec.LookPath(c); err == nil {
			return found, nil
		}
	}
	return "", deployer.Errorf(deployer.ErrInvalid,
		"no java to run %s with (looked for %s): install one, or set java-cmd, java-home-path or JAVA_HOME",
		r.Resource, strings.Join(candidates, ", "))
}

func (d *Deployer) variable(name string) string {
	for _, v := range d.Environ {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// arguments are program and arguments of one instance.
func (p plan) arguments(index int) []string {
	option := p.settings.debugOption(index)
	if !p.java || option == "" {
		return p.command
	}
	return append([]string{p.command[0], option}, p.command[1:]...)
}

// debugOption makes java wait for a debugger, on one port more for each instance; empty when not asked for, or when
// what is asked for is no address.
func (s Settings) debugOption(index int) string {
	address := s.DebugAddress
	if address == "" && s.DebugPort > 0 {
		address = strconv.Itoa(s.DebugPort)
	}
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		host, text = "", address
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 1 || port+index > 65535 {
		return ""
	}
	address = strconv.Itoa(port + index)
	if host != "" {
		address = net.JoinHostPort(host, address)
	}
	return fmt.Sprintf("-agentlib:jdwp=transport=dt_socket,server=y,suspend=%s,address=%s", s.DebugSuspend, address)
}
