package app_test

import (
	"archive/zip"
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/client"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// download is a server whose local account runs what another server, slowly, hands out.
type download struct {
	*running

	c    *client.Client
	log  *syncBuffer
	more chan struct{} // closed: the rest of the file comes
}

// newDownload has a package uploaded whose application is a script at the other server.
func newDownload(t *testing.T, config string) *download {
	t.Helper()
	d := &download{log: &syncBuffer{}, more: make(chan struct{})}
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := append([]byte("#!/bin/sh\nexec sleep 600\n"), bytes.Repeat([]byte("#"), 2000000)...)
		w.Header().Set("Content-Length", "2000025")
		_, _ = w.Write(body[:1000000])
		for written := 1000000; written < 2000025; { // a byte now and then
			select {
			case <-d.more:
				_, _ = w.Write(body[written:2000025])
				return
			case <-r.Context().Done():
				return
			case <-time.After(100 * time.Millisecond):
				_, _ = w.Write(body[written : written+1])
				_ = http.NewResponseController(w).Flush()
				written++
			}
		}
	}))
	t.Cleanup(files.Close)
	o := options(t.TempDir())
	o.Err, o.Port = d.log, nil
	o.Config = configuration(t, "server.port: 0\nhealthcheck.period: 50ms\n"+config)
	d.running = run(t, o)
	d.c = d.client()
	var archive bytes.Buffer
	z := zip.NewWriter(&archive)
	for name, text := range map[string]string{
		"slow-1.0.0/package.yml": "apiVersion: skipper.spring.io/v1\nkind: SpringCloudDeployerApplication\nname: slow\n" +
			"version: 1.0.0\nmaintainer: test\n",
		"slow-1.0.0/templates/slow.yml": "apiVersion: skipper.spring.io/v1\nkind: SpringCloudDeployerApplication\n" +
			"metadata:\n  name: slow\nspec:\n  resource: " + files.URL + "/apps/slow?token=t0ken\n",
	} {
		w, err := z.Create(name)
		require.NoError(t, err)
		_, err = w.Write([]byte(text))
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	_, err := d.c.Upload(t.Context(), skipper.UploadRequest{
		RepoName: new("local"), Name: new("slow"), Version: new("1.0.0"), Extension: new("zip"), PackageFileAsBytes: archive.Bytes(),
	})
	require.NoError(t, err)
	return d
}

// install asks for the package as a release, and gives what comes of it.
func (d *download) install(t *testing.T) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		_, _, err := d.c.Install(t.Context(), skipper.InstallRequest{
			PackageIdentifier: &skipper.PackageIdentifier{PackageName: "slow", PackageVersion: "1.0.0"},
			InstallProperties: &skipper.InstallProperties{ReleaseName: "slow", PlatformName: "default"},
		})
		done <- err
	}()
	return done
}

func TestDownload_TellsProgressInTheOperation(t *testing.T) {
	t.Parallel()
	d := newDownload(t, "")
	done := d.install(t)
	require.Eventually(t, func() bool {
		operations, err := d.c.Operations(t.Context(), "slow")
		if err != nil || len(operations) == 0 {
			return false
		}
		detail, err := d.c.OperationDetail(t.Context(), operations[0].ID)
		require.NoError(t, err)
		require.NotContains(t, detail.WaitsFor, "t0ken")
		return detail.WaitsFor != ""
	}, 30*time.Second, 20*time.Millisecond)
	close(d.more)
	require.NoError(t, <-done)
	require.Contains(t, d.log.String(), "downloaded a resource")
	require.NotContains(t, d.log.String(), "t0ken")
	_, _, err := d.c.Delete(t.Context(), "slow", false)
	require.NoError(t, err)
	d.end()
}

func TestDownload_EndsWhenTheOperationIsCancelled(t *testing.T) {
	t.Parallel()
	d := newDownload(t, "")
	done := d.install(t)
	require.Eventually(t, func() bool {
		accepted, err := d.c.Cancel(t.Context(), "slow")
		return err == nil && accepted
	}, 30*time.Second, 20*time.Millisecond)
	require.Error(t, <-done)
	d.end()
}

func TestDownload_EndsWithItsDeadline(t *testing.T) {
	t.Parallel()
	d := newDownload(t, "operation.deploy-timeout: 2s\n")
	err := <-d.install(t)
	require.ErrorContains(t, err, "the download was stopped: context deadline exceeded")
	require.NotContains(t, err.Error(), "t0ken")
	d.end()
}
