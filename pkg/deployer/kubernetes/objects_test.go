package kubernetes_test

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/deployer"
)

var update = flag.Bool("update", false, "write the golden files anew")

// objectCases are one for each row of the feature table (deployers.md 4.3 to 4.8).
func objectCases() map[string]struct {
	account, own, properties map[string]string
	change                   func(r *deployer.Request)
} {
	type row = struct {
		account, own, properties map[string]string
		change                   func(r *deployer.Request)
	}
	type m = map[string]string
	own := func(pairs m) row { return row{own: pairs} }
	return map[string]row{
		"plain": {
			account: m{"environment-variables": "SPRING_RABBITMQ_HOST=rabbitmq"}, own: m{"limits.memory": "1024Mi"},
		},
		"port":           {properties: m{"server.port": "9090"}},
		"boot":           own(m{"entryPointStyle": "boot"}),
		"shell":          own(m{"entry-point-style": "shell"}),
		"environment":    {account: m{"environment-variables": "A=1,B=2"}, own: m{"environmentVariables": "B='x,y',C=3"}},
		"key-refs":       own(m{"secretKeyRefs": "[{envVarName: P, secretName: s, dataKey: k}]", "configMapKeyRefs": "[{envVarName: Q, configMapName: c, dataKey: k}]"}),
		"env-from":       own(m{"config-map-refs": "one,two", "secretRefs": "three"}),
		"resources":      own(m{"limits.cpu": "500m", "limits.memory": "1Gi", "requests.cpu": "250m", "requests.memory": "512Mi", "limits.gpuVendor": "nvidia.com", "limits.gpuCount": "1"}),
		"pull":           own(m{"imagePullPolicy": "always", "imagePullSecret": "one", "imagePullSecrets": "two,three"}),
		"command":        own(m{"containerCommand": `/bin/sh -c "run \"it\" now"`, "containerPorts": "8081,9090"}),
		"lifecycle":      own(m{"lifecycle.postStart.exec.command": "/bin/sh, -c, echo", "lifecycle.preStop.exec.command": "/bin/stop"}),
		"volumes":        {account: m{"volumes": "[{name: data, emptyDir: {}}, {name: unused, emptyDir: {}}]"}, own: m{"volumeMounts": "[{name: data, mountPath: /data, readOnly: 'true'}]"}},
		"security":       own(m{"podSecurityContext": "{runAsUser: 65534, fsGroup: '65534'}", "containerSecurityContext": "{allowPrivilegeEscalation: 'false', readOnlyRootFilesystem: true}"}),
		"security-parts": own(m{"pod-security-context.run-as-user": "1000", "container-security-context.capabilities.drop": "ALL"}),
		"placement":      own(m{"nodeSelector": "disk: ssd,zone: a", "tolerations": "[{key: gpu, operator: Exists, effect: NoSchedule, tolerationSeconds: '5'}]"}),
		"affinity":       own(m{"affinity.nodeAffinity": "{requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: zone, operator: In, values: [a, b]}]}]}}"}),
		"account-name":   own(m{"deploymentServiceAccountName": "runner", "priorityClassName": "high", "terminationGracePeriodSeconds": "42", "shareProcessNamespace": "true", "hostNetwork": "true"}),
		"init":           own(m{"initContainer": "{containerName: wait, imageName: 'busybox:1', commands: ['sh', '-c', 'true'], environmentVariables: ['A=b']}"}),
		"init-parts":     own(m{"init-container.container-name": "wait", "init-container.image-name": "busybox:1", "init-container.commands": "sh,-c,true"}),
		"additional":     own(m{"additionalContainers": "[{name: side, image: 'side:1', ports: [{containerPort: 9999}]}]"}),
		"annotations":    own(m{"podAnnotations": `a:1,b:"x,y"`, "serviceAnnotations": "c:http://d", "deploymentLabels": "team:blue"}),
		"load-balancer":  own(m{"createLoadBalancer": "true", "servicePorts": "9000,9001"}),
		"node-port":      own(m{"createNodePort": "30500"}),
		"probes-http":    own(m{"livenessHttpProbePath": "/live", "readinessProbePort": "9999", "startupHttpProbeDelay": "7", "livenessHttpProbeScheme": "https"}),
		"probes-tcp":     own(m{"probeType": "TCP", "livenessTcpProbePort": "1", "readinessTcpProbePort": "2", "startupTcpProbePort": "3"}),
		"probes-command": own(m{"probeType": "COMMAND", "livenessCommandProbeCommand": "/live", "readinessCommandProbeCommand": "/ready now", "startupCommandProbeCommand": "/started"}),
		"boot-1":         own(m{"bootMajorVersion": "1"}),
		"shared-limits": {change: func(r *deployer.Request) {
			r.Deployment[deployer.MemoryKey], r.Deployment["spring.cloud.deployer.cpu"] = "1g", "2"
		}},
		"indexed": {
			own:    m{"volumeMounts": "[{name: ticktock-log-v1, mountPath: /data}]", "statefulSet.volumeClaimTemplate.storage": "2g", "statefulSet.volumeClaimTemplate.storageClassName": "fast"},
			change: func(r *deployer.Request) { r.Indexed, r.Count = true, 3 },
		},
		"without-app-name": {change: func(r *deployer.Request) { delete(r.Deployment, deployer.AppNameKey) }},
	}
}

func TestObjects_AreThoseOfSkipper(t *testing.T) {
	t.Parallel()

	for name, c := range objectCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := request()
			for key, value := range c.own {
				r.Deployment[prefix+key] = value
			}
			maps.Copy(r.Properties, c.properties)
			if c.change != nil {
				c.change(&r)
			}

			got, err := offline(t, c.account).Objects(r)

			require.NoError(t, err)
			file := filepath.Join("testdata", "objects", name+".golden")
			if *update {
				require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o750))
				require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(string(want), got))
		})
	}
}

func TestValidate_NamesEverythingThatIsWrong(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		own  map[string]string
		want string
	}{
		"unknown":         {map[string]string{"limit.memory": "1Gi"}, "limit.memory is not known; did you mean " + prefix + "limits.memory?"},
		"twice":           {map[string]string{"hostNetwork": "true", "host-network": "true"}, "is given twice"},
		"quantity":        {map[string]string{"limits.memory": "lots"}, "lots is no quantity of memory"},
		"flag":            {map[string]string{"hostNetwork": "maybe"}, "host-network must be true or false"},
		"yaml":            {map[string]string{"volumes": "[{name: "}, "Invalid binding property '[{name:"},
		"field":           {map[string]string{"volumes": "[{nam: x}]"}, `has no field "nam"`},
		"node selector":   {map[string]string{"nodeSelector": "zone"}, "Invalid nodeSelector value: 'zone'"},
		"environment":     {map[string]string{"environmentVariables": "A"}, "Invalid environment variable declared: "},
		"both exposed":    {map[string]string{"createNodePort": "true", "createLoadBalancer": "true"}, "Cannot create NodePort and LoadBalancer at the same time."},
		"node port":       {map[string]string{"createNodePort": "high"}, "Invalid value: high: provided port is not valid."},
		"tcp probe":       {map[string]string{"probeType": "tcp"}, "The livenessTcpProbePort property must be set."},
		"tcp probe port":  {map[string]string{"probeType": "tcp", "startupTcpProbePort": "a"}, "must contain all digits"},
		"json twice":      {map[string]string{"entryPointStyle": "boot", "environmentVariables": "SPRING_APPLICATION_JSON={}"}, "You can't use boot entry point style"},
		"restart policy":  {map[string]string{"restartPolicy": "Never"}, "restart-policy must be Always"},
		"termination":     {map[string]string{"terminationGracePeriodSeconds": "soon"}, "must be a number"},
		"container ports": {map[string]string{"containerPorts": "http"}, "must be a port number"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := request()
			for key, value := range c.own {
				r.Deployment[prefix+key] = value
			}

			err := offline(t, nil).Validate(t.Context(), r)

			require.ErrorIs(t, err, deployer.ErrInvalid)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestValidate_RefusesNamesThatObjectsCannotHave(t *testing.T) {
	t.Parallel()

	for name, change := range map[string]func(r *deployer.Request){
		"too long":           func(r *deployer.Request) { r.Group = strings.Repeat("a", 60) },
		"too long for a set": func(r *deployer.Request) { r.Group, r.Indexed = strings.Repeat("a", 47), true },
		"underscore":         func(r *deployer.Request) { r.Name = "log_sink-v1" },
		"no image":           func(r *deployer.Request) { r.Resource.Location = "file:///app.jar" },
		"negative count":     func(r *deployer.Request) { r.Count = -1 },
		"service of digits":  func(r *deployer.Request) { r.Group = "1st" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := request()
			change(&r)

			require.ErrorIs(t, offline(t, nil).Validate(t.Context(), r), deployer.ErrInvalid)
		})
	}
}

func TestOptions_AreThoseOfSkipper(t *testing.T) {
	t.Parallel()

	options := offline(t, nil).Options()

	require.Len(t, options, 163)
	require.Equal(t, prefix+"pod-security-context.se-linux-options.level", options[0].ID)
	deprecated := 0
	for _, o := range options {
		if o.Deprecated {
			deprecated++
			require.NotContains(t, o.ID, " ")
		}
	}
	require.Equal(t, 10, deprecated)
}
