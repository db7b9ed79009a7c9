package handler

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"
)

// Webhooks is what the handlers ask of platforms that call this server by themselves.
type Webhooks interface {
	// Webhook gives what takes the bodies of calls to an account; false when the secret is not that of such an account.
	Webhook(platform, account, secret string) (take func(body []byte), ok bool)
}

const (
	webhooksPath   = "/api/webhooks"
	webhookLimit   = 64 << 10
	webhookTimeout = 10 * time.Second
)

// webhookRoutes are none for a server that no platform calls.
func (h *Handler) webhookRoutes() []route {
	if h.webhooks == nil {
		return nil
	}
	return []route{{method: http.MethodPost, path: webhooksPath + "/:platform/:account/:secret", serve: h.webhook}}
}

// webhook answers 204 to whoever knows the secret, whatever the body is: a platform that gets anything else may not call
// again. What it says is only a hint. To others there is nothing here.
func (h *Handler) webhook(ctx context.Context, r request) (answer, error) {
	take, ok := h.webhooks.Webhook(r.params["platform"], r.params["account"], r.params["secret"])
	if !ok {
		return answer{}, notThere()
	}
	h.limitTime(r.w, h.clock().Add(webhookTimeout))
	defer h.limitTime(r.w, time.Time{})
	defer context.AfterFunc(ctx, func() { h.limitTime(r.w, h.clock()) })()
	body, err := io.ReadAll(http.MaxBytesReader(r.w, r.Body, webhookLimit))
	if err == nil {
		take(body)
	}
	return answer{status: http.StatusNoContent}, nil
}

// WithoutSecret is a path for the log: that of a webhook ends with a secret.
func WithoutSecret(path string) string {
	if strings.HasPrefix(path, webhooksPath+"/") {
		return webhooksPath + "/…"
	}
	return path
}
