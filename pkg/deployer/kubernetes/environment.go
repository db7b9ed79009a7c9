package kubernetes

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/skiff-project/skiff/pkg/deployer"
)

const (
	jsonVariable  = "SPRING_APPLICATION_JSON"
	guidVariable  = "SPRING_CLOUD_APPLICATION_GUID" // the container that has it is the application's
	groupVariable = "SPRING_CLOUD_APPLICATION_GROUP"
)

// keyRef names a variable and a key of a Secret or ConfigMap.
type keyRef struct {
	EnvVarName    string `json:"envVarName"`
	SecretName    string `json:"secretName"`
	ConfigMapName string `json:"configMapName"`
	DataKey       string `json:"dataKey"`
}

// told is how the application is told its properties: arguments and variables, by the entry point style.
func (s *settings) told(r deployer.Request) (args []string, env []corev1.EnvVar) {
	properties := maps.Clone(r.Properties)
	if properties == nil {
		properties = map[string]string{}
	}
	user, password := s.account.text("app-admin.user"), s.account.text("app-admin.password")
	admin := map[string]string{}
	if user != "" && password != "" {
		admin["spring.cloud.streamapp.security.admin-user"] = user
		admin["spring.cloud.streamapp.security.admin-password"] = password
	}
	declared := s.declared()
	switch s.style() {
	case "boot":
		if _, twice := declared[jsonVariable]; twice {
			s.problem("You can't use boot entry point style and also set %s for the app", jsonVariable)
		}
		maps.Copy(properties, admin)
		declared[jsonVariable] = asJSON(properties)
	case "shell":
		maps.Copy(properties, admin)
		for name, value := range properties {
			declared[strings.ToUpper(strings.ReplaceAll(name, ".", "_"))] = value
		}
	default: // exec; blank values are left out
		for _, from := range []map[string]string{properties, admin} {
			for _, name := range slices.Sorted(maps.Keys(from)) {
				if strings.TrimSpace(from[name]) != "" {
					args = append(args, "--"+name+"="+from[name])
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		env = append(env, corev1.EnvVar{Name: name, Value: declared[name]})
	}
	env = append(env, s.keyRefs()...)
	env = append(env, corev1.EnvVar{Name: guidVariable, ValueFrom: &corev1.EnvVarSource{
		FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.uid"},
	}})
	if r.Group != "" {
		env = append(env, corev1.EnvVar{Name: groupVariable, Value: r.Group})
	}
	return args, env
}

// style is exec, boot or shell; what cannot be read counts as the account's.
func (s *settings) style() string {
	for _, from := range []values{s.own, s.account} {
		if style := strings.ToLower(from.text("entry-point-style")); slices.Contains([]string{"exec", "boot", "shell"}, style) {
			return style
		}
	}
	return "exec"
}

func asJSON(properties map[string]string) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(properties) // texts always encode
	return strings.TrimSpace(out.String())
}

// declared are the variables of the account, and over them those of the application.
func (s *settings) declared() map[string]string {
	out := map[string]string{}
	for _, from := range []values{s.account, s.own} {
		list := from.listed("environment-variables")
		if text := from.text("environment-variables"); len(list) == 0 && strings.HasPrefix(text, "[") {
			list, _ = structured[[]string](s, from, "environment-variables")
		} else if len(list) == 0 && text != "" {
			list = variablesOf(text)
		}
		for _, variable := range list {
			name, value, ok := strings.Cut(variable, "=")
			if name = strings.TrimSpace(name); !ok || name == "" {
				s.problem("Invalid environment variable declared: %s; NAME=VALUE is due", name)
				continue
			}
			out[name] = value
		}
	}
	return out
}

var quotedVariable = regexp.MustCompile(`(\w+='.+?'),?`)

// variablesOf splits K=V,K2='a,b': a value in quotes keeps its commas.
func variablesOf(text string) []string {
	var out []string
	for _, m := range quotedVariable.FindAllStringSubmatch(text, -1) {
		name, value, _ := strings.Cut(m[1], "=")
		out = append(out, name+"="+strings.Trim(value, "'"))
	}
	for variable := range strings.SplitSeq(quotedVariable.ReplaceAllString(text, ""), ",") {
		if variable = strings.TrimSpace(variable); variable != "" {
			out = append(out, variable)
		}
	}
	return out
}

// keyRefs are variables whose values are in Secrets and ConfigMaps; those of the account that the application does not
// set are added.
func (s *settings) keyRefs() []corev1.EnvVar {
	var out []corev1.EnvVar
	merged := func(name string, source func(keyRef) *corev1.EnvVarSource) {
		seen := map[string]bool{}
		for _, from := range []values{s.own, s.account} {
			for _, ref := range listOf[keyRef](s, from, name) {
				if ref.EnvVarName == "" || ref.DataKey == "" {
					s.problem("%s%s: envVarName and dataKey are due", prefix, name)
				} else if !seen[ref.EnvVarName] {
					seen[ref.EnvVarName] = true
					out = append(out, corev1.EnvVar{Name: ref.EnvVarName, ValueFrom: source(ref)})
				}
			}
		}
	}
	merged("secret-key-refs", func(r keyRef) *corev1.EnvVarSource {
		return &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: r.SecretName}, Key: r.DataKey,
		}}
	})
	merged("config-map-key-refs", func(r keyRef) *corev1.EnvVarSource {
		return &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: r.ConfigMapName}, Key: r.DataKey,
		}}
	})
	return out
}

// envFrom takes all of ConfigMaps and Secrets; the application's list replaces the account's.
func (s *settings) envFrom() []corev1.EnvFromSource {
	var out []corev1.EnvFromSource
	for _, name := range s.list("config-map-refs") {
		out = append(out, corev1.EnvFromSource{ConfigMapRef: &corev1.ConfigMapEnvSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: name},
		}})
	}
	for _, name := range s.list("secret-refs") {
		out = append(out, corev1.EnvFromSource{SecretRef: &corev1.SecretEnvSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: name},
		}})
	}
	return out
}
