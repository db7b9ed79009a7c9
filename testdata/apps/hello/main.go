// Command hello is the sample application of the demo and the tests: a small web server that can be told to misbehave.
//
// It reads its settings from --name=value arguments, SPRING_APPLICATION_JSON and the environment, in this order:
//
//	server.port      where it listens (also PORT), 8080
//	hello.greeting   what it says
//	hello.delay      milliseconds before it listens
//	hello.exit       ends at once with this code, and with 1 when it is no number
//	hello.exit-index with hello.exit: only the instance of this index ends
//	hello.stubborn   true: does not end on SIGTERM
//	hello.child      true: starts a process of its own that outlives it
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var version = "dev" // set by the linker

func main() {
	s := settings{args: os.Args[1:], json: map[string]any{}}
	// Without it, or when it is no JSON, there are just fewer settings.
	_ = json.Unmarshal([]byte(os.Getenv("SPRING_APPLICATION_JSON")), &s.json)
	if err := run(s, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "hello:", err)
		os.Exit(1)
	}
}

func run(s settings, out io.Writer) error {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	fmt.Fprintln(out, "sample-app args="+strings.Join(s.args, " "))
	if s.get("hello.stubborn", "") == "true" {
		terminated = nil // the signal is caught and never read
	}
	if s.get("hello.role", "") == "child" {
		<-terminated
		return nil
	}
	const stays = "stays"
	if code := s.get("hello.exit", stays); code != stays && s.get("hello.exit-index", s.index()) == s.index() {
		n, err := strconv.Atoi(code)
		if err != nil {
			return fmt.Errorf("hello.exit: %w", err)
		}
		os.Exit(n)
	}
	if s.get("hello.child", "") == "true" {
		if err := exec.Command(os.Args[0], "--hello.role=child").Start(); err != nil {
			return err
		}
	}
	delay, err := strconv.Atoi(s.get("hello.delay", "0"))
	if err != nil {
		return fmt.Errorf("hello.delay: %w", err)
	}
	late := time.After(time.Duration(delay) * time.Millisecond)
	select {
	case <-terminated:
		return nil
	case <-late:
	}
	return serve(s, out, terminated)
}

func serve(s settings, out io.Writer, terminated <-chan os.Signal) error {
	listener, err := net.Listen("tcp", ":"+s.get("server.port", s.get("port", "8080")))
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- http.Serve(listener, handler(s)) }()
	fmt.Fprintf(out, "sample-app listening on %d\n", listener.Addr().(*net.TCPAddr).Port)
	select {
	case <-terminated:
		return nil
	case err := <-failed:
		return err
	}
}

func handler(s settings) http.Handler {
	mux := http.NewServeMux()
	answer := func(path string, body func(r *http.Request) any) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(body(r)) // whoever hung up does not read it
		})
	}
	answer("/", func(r *http.Request) any {
		return map[string]string{
			"greeting": s.get("hello.greeting", "hello"), "version": version, "path": r.URL.Path, "index": s.index(),
		}
	})
	answer("/actuator/health", func(*http.Request) any { return map[string]string{"status": "UP"} })
	answer("/actuator/info", func(*http.Request) any {
		return map[string]any{"app": map[string]string{"name": "hello", "version": version}}
	})
	answer("/actuator/env", func(*http.Request) any { return map[string]any{"args": s.args, "env": os.Environ()} })
	return mux
}

// settings are what the application was told.
type settings struct {
	args []string
	json map[string]any
}

func (s settings) get(name, fallback string) string {
	for _, a := range s.args {
		if value, ok := strings.CutPrefix(a, "--"+name+"="); ok {
			return value
		}
	}
	if value, ok := s.json[name]; ok {
		return fmt.Sprint(value)
	}
	for _, variable := range []string{name, strings.NewReplacer(".", "_", "-", "_").Replace(strings.ToUpper(name))} {
		if value, ok := os.LookupEnv(variable); ok {
			return value
		}
	}
	return fallback
}

func (s settings) index() string { return s.get("instance.index", "0") }
