package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/yosida95/uritemplate/v3"

	"github.com/skiff-project/skiff/pkg/hal"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// errNoLink says that a document has no link of a relation.
var errNoLink = errors.New("no such link")

// variables fill the template of a link; what a template does not name is left out.
type variables map[string]string

// link starts at the index and follows relations through documents of links; it gives the last link as it stands.
func (c *Client) link(ctx context.Context, rels ...string) (hal.Link, error) {
	link := hal.NewLink(c.root.JoinPath("api").String())
	for i, rel := range rels {
		href, err := expand(link, variables{"size": "1"})
		if err != nil {
			return hal.Link{}, err
		}
		doc, err := c.document(ctx, href)
		if i == 0 {
			err = c.foreign(doc, err)
		}
		if err != nil {
			return hal.Link{}, err
		}
		next, ok := doc.Links.Get(rel)
		if !ok {
			return hal.Link{}, c.noLink(rels[:i+1])
		}
		link = next
	}
	return link, nil
}

// foreign tells from the answer to the index that no skiff server is there: one always has an index, with links.
func (c *Client) foreign(index hal.Document, err error) error {
	var why string
	switch code := skipper.CodeOf(err); {
	case err == nil && index.Links.Empty():
		why = "it answered without links"
	case errors.Is(err, errNotJSON):
		why = "it answered with " + errNotJSON.Error()
	case code == skipper.CodeNotFound:
		why = "it answered 404"
	case code == skipper.CodeInvalid, code == skipper.CodeUnsupported:
		why = skipper.MessageOf(err)
	default:
		return err
	}
	return skipper.Errorf(skipper.CodeUnavailable, "no skiff server at %s (%s); set --server or SKIFF_URL", c.URL(), why)
}

func (c *Client) noLink(rels []string) error {
	return &skipper.Error{Code: skipper.CodeUnsupported, Err: errNoLink, Message: fmt.Sprintf(
		"the server at %s does not offer %s; is it a skiff server of this version?", c.URL(), strings.Join(rels, " "))}
}

// follow gives the URL that relations lead to.
func (c *Client) follow(ctx context.Context, values variables, rels ...string) (string, error) {
	link, err := c.link(ctx, rels...)
	if err != nil {
		return "", err
	}
	return expand(link, values)
}

// below gives the URL of a command of the document that the relation base leads to: its link, or the documented path
// where the server links to none, as Skipper does.
func (c *Client) below(ctx context.Context, base, rel, path string, values variables) (string, error) {
	href, err := c.follow(ctx, values, base, rel)
	if !errors.Is(err, errNoLink) {
		return href, err
	}
	root, err := c.follow(ctx, nil, base)
	if err != nil {
		return "", err
	}
	return expand(hal.NewLink(root+path), values)
}

// versioned chooses the relation with or without a version; 0 means the newest one.
func (c *Client) versioned(ctx context.Context, rel, relVersion, name string, version int) (string, error) {
	if version == 0 {
		return c.follow(ctx, variables{"name": name}, "release", rel)
	}
	return c.follow(ctx, variables{"name": name, "version": strconv.Itoa(version)}, "release", relVersion)
}

// document gives a document of links, read once.
func (c *Client) document(ctx context.Context, href string) (hal.Document, error) {
	c.mu.Lock()
	doc, ok := c.seen[href]
	c.mu.Unlock()
	if ok {
		return doc, nil
	}
	if err := c.do(ctx, http.MethodGet, href, nil, &doc); err != nil {
		return hal.Document{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[href] = doc
	return doc, nil
}

// expand fills a template. The library escapes code points where the bytes of UTF-8 are due, so it is given marks, and
// the values take their places afterwards.
func expand(link hal.Link, values variables) (string, error) {
	if !link.Templated {
		return link.Href, nil
	}
	t, err := uritemplate.New(link.Href)
	if err != nil {
		return "", skipper.Errorf(skipper.CodeInternal, "the server gave the link %q, which is no URI template", link.Href)
	}
	marks, escaped := uritemplate.Values{}, []string{}
	for name, value := range values {
		mark := "~skiff." + name + "~"
		marks.Set(name, uritemplate.String(mark))
		escaped = append(escaped, mark, strings.ReplaceAll(url.QueryEscape(value), "+", "%20"))
	}
	href, err := t.Expand(marks)
	if err != nil {
		return "", fmt.Errorf("expand the link %q: %w", link.Href, err)
	}
	href = strings.NewReplacer(escaped...).Replace(href)
	return href, dotless(href)
}

// dotless refuses a path that would lead elsewhere: "." and ".." are lost on the way, escaped or not.
func dotless(href string) error {
	path, _, _ := strings.Cut(href, "?")
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return skipper.Errorf(skipper.CodeInvalid, "a name must not be %q: no URL can hold it", segment)
		}
	}
	return nil
}

// resolve gives the URL of a link. Scheme, host and user are those the caller named: a server behind a proxy may not
// know its own name, and credentials never go elsewhere.
func (c *Client) resolve(href string) (*url.URL, error) {
	u, err := url.Parse(href)
	if err != nil {
		return nil, skipper.Errorf(skipper.CodeInternal, "the server gave the link %q, which is no URL", href)
	}
	u = c.root.JoinPath("api").ResolveReference(u)
	u.Scheme, u.Host, u.User = c.root.Scheme, c.root.Host, c.root.User
	return u, nil
}
