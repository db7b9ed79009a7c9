package docker

import (
	"strconv"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/skiff-project/skiff/pkg/deployer"
)

// Labels that mark a container as ours, and say all that is needed to take it over without any other record.
const (
	labelInstallation = "io.skiff.installation"
	labelAccount      = "io.skiff.account"
	labelRelease      = "io.skiff.release"
	labelVersion      = "io.skiff.version"
	labelApp          = "io.skiff.app"
	labelID           = "io.skiff.deployment-id"
	labelIndex        = "io.skiff.index"
	labelHash         = "io.skiff.spec-hash"
	labelName         = "io.skiff.container-name"
	labelImage        = "io.skiff.image"
	labelDigest       = "io.skiff.image-digest"
	labelPort         = "io.skiff.port"
	labelPublished    = "io.skiff.published-port"
	labelGrace        = "io.skiff.shutdown-timeout"
	labelKeep         = "io.skiff.keep"
	labelHostname     = "io.skiff.hostname"
	labelStartup      = "io.skiff.startup-probe"
	labelHealth       = "io.skiff.health-probe"
)

// kept stands in the name of a container that was undeployed and kept, between its name and a time. Such a container is
// nobody's any more.
const kept = ".kept-"

// instance is a container of ours, as its labels and the list of containers tell.
type instance struct {
	container.Summary

	owner deployer.Owner
	id    string // deployment id
	index int
	hash  string
	port  int // where the application listens in the container; below 1: not known
	// published is the port of the engine's machine that was asked for; 0: any.
	published int
	grace     int
}

// number reads a label that holds one; 0 when it does not.
func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// parse reads the marks of a container; false when they are not complete: anybody may set labels.
func parse(c container.Summary) (instance, bool) {
	l := c.Labels
	index, err := strconv.Atoi(l[labelIndex])
	i := instance{
		Summary: c, id: l[labelID], index: index, hash: l[labelHash], port: number(l[labelPort]),
		published: number(l[labelPublished]), grace: number(l[labelGrace]),
		owner: deployer.Owner{
			Installation: l[labelInstallation], Account: l[labelAccount], Release: l[labelRelease],
			Version: number(l[labelVersion]), App: l[labelApp],
		},
	}
	return i, err == nil && index >= 0 && i.id != "" && i.owner.Installation != "" && !isKept(c.Names, l[labelName])
}

func isKept(names []string, own string) bool {
	for _, name := range names {
		if strings.HasPrefix(strings.TrimPrefix(name, "/"), own+kept) {
			return true
		}
	}
	return false
}

func (i instance) name() string {
	if len(i.Names) == 0 {
		return i.Labels[labelName]
	}
	return strings.TrimPrefix(i.Names[0], "/")
}

func (i instance) guid() string { return deployer.InstanceID(i.id, i.index) }

// ours chooses the containers of this account, of one deployment unless id is empty.
func (d *Deployer) ours(id string) client.Filters {
	f := client.Filters{}.Add("label", labelInstallation+"="+d.Installation, labelAccount+"="+d.Account)
	if id != "" {
		f.Add("label", labelID+"="+id)
	}
	return f
}

// labels mark one container.
func (d *Deployer) labels(p plan, index int, name string, port, published int) map[string]string {
	o, s := p.request.Owner, p.settings
	l := map[string]string{
		labelInstallation: d.Installation, labelAccount: d.Account, labelRelease: o.Release,
		labelVersion: strconv.Itoa(o.Version), labelApp: o.App, labelID: p.id, labelIndex: strconv.Itoa(index),
		labelHash: p.hash, labelName: name, labelImage: p.image.Name, labelPort: strconv.Itoa(port),
		labelGrace: strconv.Itoa(s.grace()),
	}
	for name, value := range map[string]string{
		labelDigest: p.image.Digest, labelHostname: s.Hostname, labelStartup: s.StartupProbePath, labelHealth: s.HealthProbePath,
	} {
		if value != "" {
			l[name] = value
		}
	}
	if published > 0 {
		l[labelPublished] = strconv.Itoa(published)
	}
	if !s.DeleteContainerOnExit {
		l[labelKeep] = "true"
	}
	return l
}
