package handler

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// HeaderRequestID is the header by which an answer names its request in the log.
const HeaderRequestID = "X-Request-Id"

// request is what an endpoint sees of an HTTP request.
type request struct {
	*http.Request
	w         http.ResponseWriter
	mediaType string // of the answer
	base      string // http://HOST
	bare      bool   // links are due as an array
	params    map[string]string
	query     url.Values
}

func newRequest(c echo.Context, mediaType, base string) request {
	r := request{
		Request: c.Request(), w: c.Response(), mediaType: mediaType,
		base: base, query: c.Request().URL.Query(), params: map[string]string{},
	}
	for i, name := range c.ParamNames() {
		r.params[name] = unescaped(c.Request(), c.ParamValues()[i])
	}
	return r
}

// unescaped decodes a path segment; echo matches on the escaped path where that differs from Go's own escaping.
func unescaped(r *http.Request, segment string) string {
	if r.URL.RawPath == "" {
		return segment
	}
	if s, err := url.PathUnescape(segment); err == nil {
		return s
	}
	return segment
}

// requestURI gives path and query as they were sent: routing drops a trailing slash, a self link does not.
func requestURI(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		return r.RequestURI
	}
	return r.URL.RequestURI()
}

// self gives the URL of the request as it was sent.
func (r request) self() string { return r.base + requestURI(r.Request) }

// has says that the query has a parameter, be it empty.
func (r request) has(parameter string) bool { _, ok := r.query[parameter]; return ok }

// number reads a path variable as a number; javaType is the type that Skipper's method has there.
func (r request) number(param, javaType string, bits int) (int64, error) {
	value := r.params[param]
	n, err := strconv.ParseInt(value, 10, bits)
	if err != nil {
		return 0, &protocolError{status: http.StatusBadRequest, class: classTypeMismatch, message: fmt.Sprintf(
			"Failed to convert value of type 'java.lang.String' to required type '%s'; nested exception is "+
				"java.lang.NumberFormatException: For input string: %q", javaType, value)}
	}
	return n, nil
}

// version reads the path variable version of a release; none means the newest, which the services know as 0.
func (r request) version() (int, error) {
	if _, given := r.params["version"]; !given {
		return 0, nil
	}
	version, err := r.number("version", "java.lang.Integer", 32)
	if err != nil {
		return 0, err
	}
	if name := r.params["name"]; version < 1 {
		e := skipper.ReleaseNotFound(name, 0)
		e.Message = fmt.Sprintf("Release with the name [%s] and version [%d] doesn't exist", name, version)
		return 0, e
	}
	return int(version), nil
}

// maxNames bounds what is asked of platforms for one request.
const maxNames = 1000

// names reads the parameter names: comma separated, repeated, or both.
func (r request) names() ([]string, error) {
	if !r.has("names") {
		return nil, missingParameter("names", "String[]")
	}
	var names []string
	seen := map[string]bool{}
	for name := range strings.SplitSeq(strings.Join(r.query["names"], ","), ",") {
		if name = strings.TrimSpace(name); name != "" && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	if len(names) > maxNames {
		return nil, skipper.Errorf(skipper.CodeInvalid, "names holds %d names; ask for at most %d at once",
			len(names), maxNames)
	}
	return names, nil
}
