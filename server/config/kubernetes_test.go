package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

func TestLoad_ReadsKubernetesAccounts(t *testing.T) {
	t.Parallel()
	const file = `
spring.cloud.skipper.server.platform.kubernetes.accounts:
  minikube:
    namespace: apps
    limits: {memory: 512Mi}
    environmentVariables: [A=1, B=2]
    volumes: [{name: data, emptyDir: {}}]
    fabric8: {trustCerts: true}
  prod-1: {kubeconfig: /etc/kube}`

	c, warnings, err := load("application.yml", []byte(file), "h", []string{
		"SPRING_CLOUD_SKIPPER_SERVER_PLATFORM_KUBERNETES_ACCOUNTS_PROD_1_LIMITS_CPU=2",
		"SKIFF_PLATFORM_KUBERNETES_ACCOUNTS_MINIKUBE_ENTRY_POINT_STYLE=boot",
	}, nil)

	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Empty(t, cmp.Diff(map[string]Properties{
		"minikube": {
			"namespace": "apps", "limits.memory": "512Mi", "environmentVariables": `["A=1","B=2"]`,
			"volumes": `[{"emptyDir":{},"name":"data"}]`, "fabric8.trustCerts": "true", "entry_point_style": "boot",
		},
		"prod-1": {"kubeconfig": "/etc/kube", "limits_cpu": "2"},
	}, c.Platform.Kubernetes.Accounts))
}

func TestLoad_RefusesAKubernetesAccountWithTheNameOfAnother(t *testing.T) {
	t.Parallel()

	_, _, err := load("skiff.yml", []byte(`
platform: {local: {accounts: {default: {}}}, kubernetes: {accounts: {default: {namespace: a}}}}`), "h", nil, nil)

	require.ErrorContains(t, err, "platform.kubernetes.accounts.default must have another name")
}
