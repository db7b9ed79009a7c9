package kubernetes

import (
	"encoding/base64"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// probeKind is startup, readiness or liveness, with the defaults of Skipper by probe type (deployers.md 4.5); a zero is
// left to Kubernetes.
type probeKind struct {
	name               string
	http, tcp, command probeTimes
}

type probeTimes struct{ delay, period, timeout, failure, success int32 }

var (
	startup = probeKind{
		"startup", probeTimes{30, 3, 5, 20, 1}, probeTimes{30, 3, 0, 20, 1}, probeTimes{30, 10, 0, 10, 1},
	}
	readiness = probeKind{
		"readiness", probeTimes{1, 10, 5, 3, 1}, probeTimes{1, 10, 0, 3, 1}, probeTimes{1, 10, 0, 3, 1},
	}
	liveness = probeKind{
		"liveness", probeTimes{1, 60, 5, 3, 1}, probeTimes{10, 60, 0, 3, 1}, probeTimes{10, 10, 0, 3, 1},
	}
)

// probes are the three of an application; credentials is what its HTTP probes say of themselves, or empty.
func (s *settings) probes(port int32, credentials string) [3]*corev1.Probe {
	var out [3]*corev1.Probe
	for i, k := range []probeKind{startup, readiness, liveness} {
		switch kind := strings.ToUpper(s.text("probe-type")); kind {
		case "TCP":
			out[i] = s.tcpProbe(k)
		case "COMMAND":
			out[i] = s.commandProbe(k)
		case "", "HTTP":
			out[i] = s.httpProbe(k, port, credentials)
		default:
			s.problem("%sprobe-type must be HTTP, TCP or COMMAND, found %q", prefix, kind)
		}
	}
	return out
}

// probeText is a property of a probe; the name without the probe's type is taken as well, for the application before
// that of the account.
func (s *settings) probeText(k probeKind, kind, name string) string {
	full, short := k.name+"-"+kind+"-probe-"+name, k.name+"-probe-"+name
	for _, from := range []values{s.own, s.account} {
		for _, key := range []string{full, short} {
			if text := from.text(key); text != "" {
				return text
			}
		}
	}
	return ""
}

func (s *settings) probeNumber(k probeKind, kind, name string, otherwise int32) int32 {
	text := s.probeText(k, kind, name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		s.problem("%s%s-%s-probe-%s must be a number, found %q", prefix, k.name, kind, name, text)
	}
	return int32(n)
}

func (s *settings) probe(k probeKind, kind string, t probeTimes, handler corev1.ProbeHandler) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:        handler,
		InitialDelaySeconds: s.probeNumber(k, kind, "delay", t.delay),
		PeriodSeconds:       s.probeNumber(k, kind, "period", t.period),
		TimeoutSeconds:      s.probeNumber(k, kind, "timeout", t.timeout),
		FailureThreshold:    s.probeNumber(k, kind, "failure", t.failure),
		SuccessThreshold:    s.probeNumber(k, kind, "success", t.success),
	}
}

func (s *settings) httpProbe(k probeKind, port int32, credentials string) *corev1.Probe {
	action := &corev1.HTTPGetAction{
		Path: s.probePath(k), Port: intstr.FromInt32(s.probeNumber(k, "http", "port", port)), Scheme: corev1.URISchemeHTTP,
	}
	if scheme := s.probeText(k, "http", "scheme"); scheme != "" {
		action.Scheme = corev1.URIScheme(strings.ToUpper(scheme))
	}
	if credentials != "" {
		action.HTTPHeaders = []corev1.HTTPHeader{{Name: "Authorization", Value: "Basic " + credentials}}
	}
	return s.probe(k, "http", k.http, corev1.ProbeHandler{HTTPGet: action})
}

// probePath is what the application answers; Spring Boot 1 has no /actuator.
func (s *settings) probePath(k probeKind) string {
	if path := s.probeText(k, "http", "path"); path != "" {
		return path
	}
	path := "/info"
	if k.name == liveness.name {
		path = "/health"
	}
	if s.own.text("boot-major-version") == "1" {
		return path
	}
	return "/actuator" + path
}

func (s *settings) tcpProbe(k probeKind) *corev1.Probe {
	text := s.probeText(k, "tcp", "port")
	port, err := strconv.ParseUint(text, 10, 16)
	switch {
	case text == "" && k.name == startup.name:
		s.problem("A startupTcpProbePort property must be set.")
	case text == "":
		s.problem("The %sTcpProbePort property must be set.", k.name)
	case err != nil:
		s.problem("%sTcpProbePort %q must contain all digits", k.name, text)
	}
	return s.probe(k, "tcp", k.tcp, corev1.ProbeHandler{
		TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(int32(port))},
	})
}

func (s *settings) commandProbe(k probeKind) *corev1.Probe {
	command := words(s.text(k.name + "-command-probe-command"))
	if len(command) == 0 {
		s.problem("The %sCommandProbeCommand property must be set.", k.name)
	}
	return s.probe(k, "command", k.command, corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: command}})
}

// words splits a command at blanks; quotes keep them, and a backslash keeps a quote.
func words(text string) []string {
	var (
		out   []string
		word  strings.Builder
		quote rune
		open  bool
	)
	runes := []rune(text)
	for i := 0; i < len(runes); i++ {
		c := runes[i]
		switch {
		case c == '\\' && i+1 < len(runes) && (runes[i+1] == '"' || runes[i+1] == '\''):
			i++
			word.WriteRune(runes[i])
			open = true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '"' || c == '\'':
			quote, open = c, true
		case c == ' ' || c == '\t' || c == '\n':
			if open {
				out = append(out, word.String())
				word.Reset()
				open = false
			}
		default:
			word.WriteRune(c)
			open = true
		}
	}
	if open {
		out = append(out, word.String())
	}
	return out
}

// basic is the credentials of probes as they are sent: the Secret holds them encoded, and the client has decoded them.
func basic(data []byte) string { return base64.StdEncoding.EncodeToString(data) }
