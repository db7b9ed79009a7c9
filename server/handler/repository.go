package handler

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// Published is what others may fetch from this server as from any package repository.
type Published interface {
	// Index gives the text of index.yml.
	Index(ctx context.Context) (string, error)
	// File gives the zip of a package that the index lists; CodeNotFound.
	File(ctx context.Context, name, version string) ([]byte, error)
}

// repositoryFiles serves the files of a package repository beside the API: /index.yml and /NAME/NAME-VERSION.zip. It
// stands before the router, which cannot tell these paths from unknown ones of the API.
func (h *Handler) repositoryFiles(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r, w := c.Request(), c.Response()
		name, version, isZip := zipPath(r.URL.Path)
		if h.published == nil || !isZip && r.URL.Path != "/index.yml" {
			return next(c)
		}
		const allow = "GET, HEAD, OPTIONS"
		switch r.Method {
		case http.MethodGet, http.MethodHead:
			h.serveFile(w, r, name, version)
		case http.MethodOptions:
			w.Header().Set("Allow", allow)
			w.WriteHeader(http.StatusOK)
		default:
			h.Fail(w, r, &protocolError{
				status: http.StatusMethodNotAllowed, class: classMethod, allow: allow,
				message: "Request method '" + r.Method + "' not supported",
			})
		}
		return nil
	}
}

// serveFile answers with the zip of a package, or with the index when no name is given.
func (h *Handler) serveFile(w http.ResponseWriter, r *http.Request, name, version string) {
	content, mediaType, err := h.repositoryFile(r.Context(), name, version)
	if err != nil {
		h.Fail(w, r, err)
		return
	}
	digest := sha256.Sum256(content)
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("ETag", `"`+hex.EncodeToString(digest[:])+`"`)
	w.Header().Set("Cache-Control", "no-cache") // may be kept, but is to be asked for
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

func (h *Handler) repositoryFile(ctx context.Context, name, version string) ([]byte, string, error) {
	if name != "" {
		zip, err := h.published.File(ctx, name, version)
		return zip, "application/zip", err
	}
	index, err := h.published.Index(ctx)
	return []byte(index), "application/yaml", err
}

// zipPath takes /NAME/NAME-VERSION.zip apart.
func zipPath(path string) (name, version string, ok bool) {
	name, file, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !ok || name == "" || strings.Contains(file, "/") {
		return "", "", false
	}
	version, isOfName := strings.CutPrefix(file, name+"-")
	version, isZip := strings.CutSuffix(version, ".zip")
	return name, version, isOfName && isZip && version != ""
}
