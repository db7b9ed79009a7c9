package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/skiff-project/skiff/pkg/hal"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// problem is the body of an error answer.
type problem struct {
	Links hal.Links `json:"_links"`

	Exception   string `json:"exception"`
	Message     string `json:"message"`
	ReleaseName string `json:"releaseName"`
	Version     int    `json:"version"`
}

// The exception classes that stand for a code of their own; all others are told apart by the HTTP status.
const (
	classReleaseNotFound = "org.springframework.cloud.skipper.ReleaseNotFoundException"
	classPackageDelete   = "org.springframework.cloud.skipper.PackageDeleteException"
	classReleaseUpgrade  = "org.springframework.cloud.skipper.ReleaseUpgradeException"
)

// restore is the inverse of the server's table of errors.
func restore(request *http.Request, status int, body []byte) error {
	var p problem
	if err := json.Unmarshal(body, &p); err != nil {
		p = problem{} // not every answer has a body, and a proxy's is HTML
	}
	e := &skipper.Error{Code: codeOf(status, p), Message: p.Message, ReleaseName: p.ReleaseName, ReleaseVersion: p.Version}
	if operation, ok := p.Links.Get("operation"); ok {
		e.OperationID = path.Base(operation.Href)
	}
	if e.Message == "" || e.Message == "No message available" {
		e.Message = fmt.Sprintf("the server answers %d %s to %s %s",
			status, http.StatusText(status), request.Method, request.URL.Path)
	}
	return e
}

func codeOf(status int, p problem) skipper.Code {
	switch {
	case p.Exception == classReleaseNotFound:
		return skipper.CodeReleaseNotFound
	case p.Exception == classPackageDelete:
		return skipper.CodePackageDelete
	case p.Exception == classReleaseUpgrade:
		return skipper.CodeReleaseUpgrade
	case status == http.StatusConflict && strings.HasPrefix(p.Message, "Statemachine is not in state ready to do"):
		return skipper.CodeBusy
	case status == http.StatusConflict && missing(p.Message):
		return skipper.CodeNotFound
	default:
		return codeOfStatus(status)
	}
}

// missing knows the sentences by which Skipper says, with the status of a conflict, that something is not there.
func missing(message string) bool {
	sentences := []string{
		"Can not find a package named", "Can not find package ", "Package with id=", "No deployer named ",
		"Could not find local repository",
	}
	return slices.ContainsFunc(sentences, func(s string) bool { return strings.HasPrefix(message, s) })
}

func codeOfStatus(status int) skipper.Code {
	switch status {
	case http.StatusUnauthorized:
		return skipper.CodeUnauthorized
	case http.StatusForbidden:
		return skipper.CodeForbidden
	case http.StatusNotFound:
		return skipper.CodeNotFound
	case http.StatusConflict:
		return skipper.CodeConflict
	case http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return skipper.CodeUnsupported
	case http.StatusRequestEntityTooLarge:
		return skipper.CodeTooLarge
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable:
		return skipper.CodeUnavailable
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return skipper.CodeTimeout
	}
	if status < http.StatusInternalServerError {
		return skipper.CodeInvalid
	}
	return skipper.CodeInternal
}
