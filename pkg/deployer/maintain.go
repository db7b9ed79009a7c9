package deployer

import (
	"context"
	"time"
)

// Maintainer is a deployer whose instances need care while they run: renewed before they end of age, replaced when they
// ended unasked. Found by type assertion.
type Maintainer interface {
	// Maintain does what is due now for the deployment of a request and gives the handle to store, and when it wants to be
	// called again; the zero time: never. r is the request the deployment was made from, its count aside. It does not
	// wait for new instances to come up: a later call goes on. save works as in Deploy. Maintain is idempotent: after a
	// kill it is called with the handle that was saved last. A call too early or too often does no harm; what nobody
	// asked to run is not brought back: a deployment of which nothing is known is left alone, with the zero time.
	// With an error the handle is valid, and next is when to try again.
	Maintain(ctx context.Context, r Request, h Handle, save func(Handle) error) (next Handle, due time.Time, err error)
}

// Drainer is a deployer whose instances may be left to end by themselves after an upgrade, because somebody still plays
// on them. Found by type assertion.
type Drainer interface {
	// Drain is how long the replaced deployment of this request may go on after the hand-over; 0: remove it at once.
	Drain(r Request) time.Duration
}

// Hinter is a deployer whose platform calls the server by itself (webhooks). Found by type assertion.
type Hinter interface {
	// VerifyWebhook says whether a call carries the secret that the platform was given. It takes as long for any secret.
	VerifyWebhook(secret string) bool
	// Webhook takes the body of a call: untrusted, of at most 64 KiB, perhaps of no form at all. It only makes the deployer
	// ask the platform sooner; it does not wait for that.
	Webhook(body []byte)
}
