package edgegap

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/edgegap"
)

var notName = regexp.MustCompile(`[^a-z0-9-]+`)

// applicationOf names the application of a request: as it says, or after release and app. A name that could not be kept
// as it is ends in a digest, so that two of them stay two.
func (d *Deployer) applicationOf(r deployer.Request, s spec) string {
	if s.application != "" {
		return s.application
	}
	plain := r.Owner.Release + "-" + r.Owner.App
	name := strings.Trim(notName.ReplaceAllString(strings.ToLower(plain), "-"), "-")
	if name == plain && len(name) >= 3 && len(name) <= 64 {
		return name
	}
	return strings.TrimLeft(name[:min(len(name), 55)]+"-"+digest(8, r.Owner.Release, r.Owner.App), "-")
}

// versionOf is the version a request needs. Its name follows from all that is in it but the password, so that the same
// content is the same version.
func (d *Deployer) versionOf(s spec) edgegap.VersionSpec {
	v := edgegap.VersionSpec{
		Registry: s.image.host, Image: s.image.path, Tag: s.image.tag, CPUUnits: s.cpu, MemoryMB: s.memory, GPUUnits: s.gpu,
		ForceCache: s.forceCache, TimeToDeploySeconds: s.pullSeconds, MaxDurationMinutes: new(s.maxMinutes),
		RestartPolicy: s.restart, GraceSeconds: s.graceSeconds, MainlandChina: s.china, DNSConfig: s.dns,
		EndpointStorage: s.storage, Ports: s.ports,
	}
	if login := d.Settings.Registry; login.Host == s.image.host {
		v.Username = login.Username
	}
	content, err := json.Marshal(v) //nolint:gosec // the password is not in it yet
	if err != nil {                 // texts and numbers always marshal
		content = []byte(s.image.String())
	}
	v.Name = s.versionName
	if v.Name == "" {
		v.Name = strings.Trim(s.image.tag[:min(len(s.image.tag), 51)], ".-_") + "-" + digest(12, string(content))
	}
	v.VerifyImage = s.verify
	if v.Username != "" {
		v.Password = d.Settings.Registry.Password
	}
	return v
}

// ensure sees to it that application and version exist.
func (d *Deployer) ensure(ctx context.Context, application string, want edgegap.VersionSpec) error {
	key := [2]string{application, want.Name}
	d.mu.Lock()
	known := d.versions[key]
	d.mu.Unlock()
	if known {
		return nil
	}
	if err := d.ensureApplication(ctx, application); err != nil {
		return err
	}
	if err := d.ensureVersion(ctx, application, want); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.versions[key] = true
	return nil
}

// forget takes nothing for granted of what exists: somebody removed it meanwhile.
func (d *Deployer) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.versions)
}

func (d *Deployer) ensureApplication(ctx context.Context, name string) error {
	got, err := d.client.Application(ctx, name)
	if edgegap.KindOf(err) == edgegap.KindNotFound {
		got, err = d.client.CreateApplication(ctx, edgegap.ApplicationSpec{Name: name, Active: true})
		if edgegap.KindOf(err) == edgegap.KindConflict { // another server was faster, or an answer was lost
			got, err = d.client.Application(ctx, name)
		}
	}
	if err != nil {
		return fault("see to application "+name, repeatable(err))
	}
	if !got.Active {
		return deployer.Errorf(deployer.ErrInvalid, "application %s is not active on Edgegap; activate it there", name)
	}
	return nil
}

func (d *Deployer) ensureVersion(ctx context.Context, application string, want edgegap.VersionSpec) error {
	got, err := d.client.Version(ctx, application, want.Name)
	found := err == nil
	if edgegap.KindOf(err) == edgegap.KindNotFound {
		got, err = d.client.CreateVersion(ctx, application, want)
		if edgegap.KindOf(err) == edgegap.KindConflict {
			got, err = d.client.Version(ctx, application, want.Name)
		}
	}
	if err != nil {
		return fault(fmt.Sprintf("see to version %s of application %s", want.Name, application), repeatable(err))
	}
	if !found {
		return nil // as it was asked for
	}
	switch {
	case !got.Active:
		return deployer.Errorf(deployer.ErrInvalid, "version %s of application %s is not active on Edgegap; activate it there",
			want.Name, application)
	case got.Registry != want.Registry || got.Image != want.Image || got.Tag != want.Tag ||
		int(got.CPUUnits) != want.CPUUnits || int(got.MemoryMB) != want.MemoryMB || !samePorts(got.Ports, want.Ports):
		return deployer.Errorf(deployer.ErrExists,
			"version %s of application %s exists with another image, size or ports; give another %sversion-name, or none",
			want.Name, application, prefix)
	}
	return d.login(ctx, application, want)
}

func samePorts(got, want []edgegap.VersionPort) bool {
	key := func(p edgegap.VersionPort) string {
		return fmt.Sprintf("%s:%d/%s", p.Name, p.Port, strings.ToUpper(p.Protocol))
	}
	sorted := func(ports []edgegap.VersionPort) []string {
		var out []string
		for _, p := range ports {
			out = append(out, key(p))
		}
		slices.Sort(out)
		return out
	}
	return slices.Equal(sorted(got), sorted(want))
}

// login sets the registry's password of a version that was there, once after each start of the server: it may have been
// changed since the version was made, and it is the one thing of a version that its name does not tell.
func (d *Deployer) login(ctx context.Context, application string, want edgegap.VersionSpec) error {
	key := [2]string{application, want.Name}
	d.mu.Lock()
	done := d.logins[key]
	d.mu.Unlock()
	if want.Password == "" || done {
		return nil
	}
	_, err := d.client.UpdateVersion(ctx, application, want.Name, edgegap.VersionChange{Password: &want.Password})
	if err != nil {
		return fault("renew the registry login of version "+want.Name, repeatable(err))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.logins[key] = true
	return nil
}

// repeatable takes the doubt out of an error: asking again for an application or a version finds what is there.
func repeatable(err error) error {
	e, ok := asError(err)
	if ok && e.MayHaveHappened {
		again := *e
		again.MayHaveHappened = false
		return &again
	}
	return err
}
