package docker

import (
	"context"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/moby/moby/client"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/resource"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// image is what a resource stood for when it was deployed: a tag may stand for something else later.
type image struct {
	Name   string `json:"name"`             // as asked for, with its tag or digest, as people write it
	Digest string `json:"digest,omitempty"` // sha256:… of the registry; empty for an image that was never in one
	ID     string `json:"id"`               // sha256:… of the engine
}

// parseImage gives the image that a resource names; latest where neither tag nor digest is given.
func parseImage(ref resource.Ref) (reference.Named, error) {
	i, err := resource.ParseImage(ref)
	if err != nil {
		kind := deployer.ErrInvalid
		if skipper.CodeOf(err) == skipper.CodeUnsupported {
			kind = deployer.ErrUnsupported
		}
		return nil, deployer.Errorf(kind, "%w", err)
	}
	named, err := reference.ParseNormalizedNamed(i.String())
	if err != nil {
		return nil, deployer.Errorf(deployer.ErrInvalid, "resource %s is not an image, as docker:acme/log:1.0.0: %w", ref, err)
	}
	return reference.TagNameOnly(named), nil
}

// resolve finds the image that a deployment is made of: that of the record if it has one, else what the resource stands
// for now, which is pulled if the policy says so.
func (d *Deployer) resolve(ctx context.Context, r deployer.Request, s Settings, known image) (image, error) {
	named, err := parseImage(r.Resource)
	if err != nil {
		return image{}, err
	}
	if known.ID != "" {
		return d.again(ctx, named, s, known)
	}
	name := reference.FamiliarString(named)
	found, err := d.inspectImage(ctx, named, name)
	missing := errdefs.IsNotFound(err)
	if err != nil && !missing {
		return image{}, d.fault(reading, "look for the image "+name, err)
	}
	if missing && s.ImagePullPolicy == pullNever {
		return image{}, deployer.Errorf(deployer.ErrInvalid,
			"the engine has no image %s, and image-pull-policy is never", name)
	}
	if !missing && s.ImagePullPolicy != pullAlways {
		return found, nil
	}
	if err := d.pull(ctx, named); err != nil {
		return image{}, err
	}
	if found, err = d.inspectImage(ctx, named, name); err != nil {
		return image{}, d.fault(reading, "look for the image "+name, err)
	}
	return found, nil
}

// again finds the very image of a record, pulling it by its digest where the engine has it no more.
func (d *Deployer) again(ctx context.Context, named reference.Named, s Settings, known image) (image, error) {
	inner, cancel := d.bounded(ctx)
	defer cancel()
	_, err := d.client.ImageInspect(inner, known.ID)
	if err == nil {
		return known, nil
	} else if !errdefs.IsNotFound(err) {
		return image{}, d.fault(reading, "look for the image "+known.Name, err)
	}
	pinned, err := reference.ParseNormalizedNamed(reference.TrimNamed(named).Name() + "@" + known.Digest)
	if err != nil || s.ImagePullPolicy == pullNever {
		return image{}, deployer.Errorf(deployer.ErrInvalid,
			"the engine has lost the image %s (%s) that the deployment is made of, and it cannot be pulled again",
			known.Name, known.ID)
	}
	if err := d.pull(ctx, pinned); err != nil {
		return image{}, err
	}
	found, err := d.inspectImage(ctx, pinned, known.Name)
	return found, d.fault(reading, "look for the image "+known.Name, err)
}

func (d *Deployer) inspectImage(ctx context.Context, named reference.Named, name string) (image, error) {
	ctx, cancel := d.bounded(ctx)
	defer cancel()
	found, err := d.client.ImageInspect(ctx, reference.FamiliarString(named))
	if err != nil {
		return image{}, err
	}
	out := image{Name: name, ID: found.ID}
	for _, text := range found.RepoDigests {
		if digested, err := reference.ParseNormalizedNamed(text); err == nil && digested.Name() == named.Name() {
			if d, ok := digested.(reference.Digested); ok {
				out.Digest = d.Digest().String()
			}
		}
	}
	return out, nil
}

// called is how a container is told its image: by name while the name stands for it, so that people can read it.
func (d *Deployer) called(ctx context.Context, i image) string {
	ctx, cancel := d.bounded(ctx)
	defer cancel()
	if found, err := d.client.ImageInspect(ctx, i.Name); err == nil && found.ID == i.ID {
		return i.Name
	}
	return i.ID
}

const progressPeriod = 5 * time.Second

// pull gets an image from its registry, with the login for it if there is one.
func (d *Deployer) pull(ctx context.Context, named reference.Named) error {
	name := reference.FamiliarString(named)
	auth, whose, err := d.credentials(ctx, reference.Domain(named))
	if err != nil {
		return err
	}
	d.Logger.InfoContext(ctx, "pulling an image", "image", name, "login", whose)
	began := d.Clock()
	stream, err := d.client.ImagePull(ctx, name, client.ImagePullOptions{RegistryAuth: auth})
	if err != nil {
		return d.refused(ctx, name, whose, err)
	}
	defer func() { _ = stream.Close() }() // it was only read
	told := began
	for message, err := range stream.JSONMessages(ctx) {
		if err == nil && message.Error != nil {
			err = message.Error
		}
		if err != nil {
			return d.refused(ctx, name, whose, err)
		}
		if now := d.Clock(); now.Sub(told) >= progressPeriod {
			told = now
			d.Logger.InfoContext(ctx, "pulling an image", "image", name, "layer", message.ID, "status", message.Status,
				"seconds", int(now.Sub(began).Seconds()))
		}
	}
	if err := ctx.Err(); err != nil {
		return deployer.Errorf(deployer.ErrUnavailable, "pull %s: %w", name, err)
	}
	d.Logger.InfoContext(ctx, "image pulled", "image", name)
	return nil
}

// refused tells what a registry does not have from what it does not give; engines say it in words, with any status.
func (d *Deployer) refused(ctx context.Context, name, whose string, err error) error {
	text := strings.ToLower(err.Error())
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(text, w) {
				return true
			}
		}
		return false
	}
	switch {
	case ctx.Err() != nil:
		return deployer.Errorf(deployer.ErrUnavailable, "pull %s: %w", name, ctx.Err())
	case client.IsErrConnectionFailed(err):
		return d.fault(reading, "pull "+name, err)
	case has("manifest unknown", "not found", "name unknown", "name_unknown", "manifest_unknown") && !has("no such host"):
		return deployer.Errorf(deployer.ErrInvalid, "pull %s: the registry has no such image: %w", name, said(err))
	case has("unauthorized", "authentication required", "denied", "no basic auth", "incorrect username", "forbidden"),
		errdefs.IsUnauthorized(err), errdefs.IsPermissionDenied(err):
		return deployer.Errorf(deployer.ErrDenied, "pull %s: the registry refuses it; it was asked with %s: %w",
			name, whose, said(err))
	default:
		return deployer.Errorf(deployer.ErrUnavailable, "pull %s: %w", name, said(err))
	}
}
