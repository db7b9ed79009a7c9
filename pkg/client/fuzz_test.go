package client_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skiff-project/skiff/pkg/client"
	"github.com/skiff-project/skiff/pkg/skipper"
)

func FuzzRestore(f *testing.F) {
	f.Add(409, []byte(`{"exception":"org.springframework.cloud.skipper.SkipperException","_links":{"operation":[]}}`))
	f.Add(404, []byte(`{"version":"x","_links":{"operation":[{"href":"/"}]}}`))
	f.Add(500, []byte(`null`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		err := client.Restore(status, body)
		e := &skipper.Error{}
		require.ErrorAs(t, err, &e)
		require.Contains(t, skipper.Codes(), e.Code)
		require.NotEmpty(t, e.Message)
	})
}
