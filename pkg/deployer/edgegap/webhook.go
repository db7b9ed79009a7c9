package edgegap

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
)

// WebhookPath is where this server takes Edgegap's webhooks, below its public URL; the name of the account and a secret
// follow as two segments.
const WebhookPath = "/api/webhooks/edgegap"

// webhookSecret is what only Edgegap and this server know: webhooks carry no signature.
func webhookSecret(token, installation, account string) string {
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte("skiff webhook\x00" + installation + "\x00" + account)) // never fails
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// webhookURL is where Edgegap is asked to call; empty where this server has no public URL. It holds a secret.
func (d *Deployer) webhookURL() string {
	if d.Settings.PublicURL == "" {
		return ""
	}
	return strings.TrimRight(d.Settings.PublicURL, "/") + WebhookPath + "/" + url.PathEscape(d.Account) + "/" + d.secret
}

// VerifyWebhook tells whether the last segment of a webhook's path is ours. Its body proves nothing all the same: it is
// good for a Hint only.
func (d *Deployer) VerifyWebhook(secret string) bool {
	return d.Settings.PublicURL != "" && subtle.ConstantTimeCompare([]byte(secret), []byte(d.secret)) == 1
}

// Hint tells that something may have happened to a deployment of Edgegap: the next look at the account comes at once and
// asks for it. Ids that are not ours do no harm.
func (d *Deployer) Hint(requestID string) {
	if !wellFormed(requestID) {
		return
	}
	d.hint(requestID)
	d.touch()
}

// Webhook takes what Edgegap sends, which reads as the status of a deployment, for a hint on that.
func (d *Deployer) Webhook(body []byte) {
	var sent struct {
		RequestID string `json:"request_id"` //nolint:tagliatelle // as Edgegap spells it
	}
	if json.Unmarshal(body, &sent) == nil {
		d.Hint(sent.RequestID)
	}
}

func wellFormed(requestID string) bool {
	return len(requestID) == 12 && strings.Trim(requestID, "0123456789abcdef") == ""
}
