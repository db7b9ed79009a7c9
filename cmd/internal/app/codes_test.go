package app_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/client"
	"github.com/skiff-project/skiff/pkg/skipper"
	"github.com/skiff-project/skiff/server/handler"
)

// The services, under names that do not hide their methods.
type (
	releaseService = handler.Releases
	catalogService = handler.Catalog
)

// failing is every service that the test asks; each answers the same error.
type failing struct {
	releaseService
	err error
}

func (f failing) Status(context.Context, string, int) (skipper.Info, error) {
	return skipper.Info{}, f.err
}

func (f failing) Install(context.Context, skipper.InstallRequest, skipper.CommandOptions) (skipper.Release, skipper.Operation, error) {
	return skipper.Release{}, skipper.Operation{}, f.err
}

func (f failing) Delete(context.Context, string, bool, skipper.CommandOptions) (skipper.Release, skipper.Operation, error) {
	return skipper.Release{}, skipper.Operation{ID: "7"}, f.err // the operation ended with the error
}

func (f failing) Cancel(context.Context, skipper.CancelRequest) (skipper.CancelResponse, *skipper.Operation, error) {
	return skipper.CancelResponse{}, nil, f.err
}

type failingCatalog struct {
	catalogService
	err error
}

func (f failingCatalog) Upload(context.Context, skipper.UploadRequest) (skipper.PackageMetadata, error) {
	return skipper.PackageMetadata{}, f.err
}

// failure is an error of a code as the services make it.
func failure(code skipper.Code) error {
	switch code {
	case skipper.CodeReleaseNotFound:
		return skipper.ReleaseNotFound("r", 3)
	case skipper.CodeBusy:
		return skipper.Busy("DELETE", "42")
	case skipper.CodeInternal:
		return errors.New("secret cause")
	default:
		return &skipper.Error{Code: code, Message: "a sentence about " + string(code), Err: errors.New("secret cause")}
	}
}

// restored is the code that a client gives for one of the server. All have a status, a class or a sentence of their own
// on the wire, but for what was cancelled: that is a conflict.
func restored(code skipper.Code) skipper.Code {
	if code == skipper.CodeCancelled {
		return skipper.CodeConflict
	}
	return code
}

// The table of errors at the server and its inverse in the client are one table: what a service says, a caller of the
// client hears.
func TestCodes_TravelFromTheServiceToTheClient(t *testing.T) {
	t.Parallel()
	for _, code := range skipper.Codes() {
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			sent := failure(code)
			c := remote(t, sent)
			_, status := c.Status(t.Context(), "r", 0)
			_, _, install := c.Install(t.Context(), skipper.InstallRequest{})
			_, _, remove := c.Delete(t.Context(), "r", false)
			_, cancel := c.Cancel(t.Context(), "r")
			_, upload := c.Upload(t.Context(), skipper.UploadRequest{})
			for verb, err := range map[string]error{
				"status": status, "install": install, "delete": remove, "cancel": cancel, "upload": upload,
			} {
				requireRestored(t, verb, sent, err)
			}
			got, ok := errors.AsType[*skipper.Error](remove)
			require.True(t, ok)
			if code == skipper.CodeBusy {
				require.Equal(t, "42", got.OperationID, "the one that runs")
			} else {
				require.Equal(t, "7", got.OperationID, "the one that ended with the error")
			}
		})
	}
}

func requireRestored(t *testing.T, verb string, sent, err error) {
	t.Helper()
	got, ok := errors.AsType[*skipper.Error](err)
	require.True(t, ok, "%s: %v", verb, err)
	require.Equal(t, restored(skipper.CodeOf(sent)), got.Code, verb)
	require.Equal(t, skipper.MessageOf(sent), got.Message, verb)
	require.NotContains(t, got.Error(), "secret cause", verb)
	if want, ok := errors.AsType[*skipper.Error](sent); ok {
		require.Equal(t, want.ReleaseName, got.ReleaseName, verb)
		require.Equal(t, want.ReleaseVersion, got.ReleaseVersion, verb)
	}
}

// remote is a client of a server whose services all fail.
func remote(t *testing.T, err error) *client.Client {
	t.Helper()
	e := echo.New()
	handler.New(handler.Config{
		Catalog: failingCatalog{err: err}, Releases: failing{err: err}, Version: "1.2.3",
		Clock: time.Now, Logger: slog.New(slog.DiscardHandler),
	}).Register(e)
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	c, newErr := client.New(server.URL)
	require.NoError(t, newErr)
	t.Cleanup(c.Close)
	return c
}
