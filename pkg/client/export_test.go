package client

import (
	"net/http"
	"net/http/httptest"
)

// SetLimit sets the largest answer a client reads.
func SetLimit(c *Client, limit int64) { c.limit = limit }

// Restore is restore of an answer to GET /.
func Restore(status int, body []byte) error {
	return restore(httptest.NewRequest(http.MethodGet, "/", nil), status, body)
}
