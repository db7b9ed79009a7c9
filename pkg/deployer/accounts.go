package deployer

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/skiff-project/skiff/pkg/skipper"
)

// Account is one platform account: a name and the deployer that works on it.
type Account struct {
	Name     string
	Deployer Deployer
}

// ID is stable for the account's type and name, in the form of a UUID, as Skipper shows one.
func (a Account) ID() string {
	sum := sha256.Sum256([]byte(a.Deployer.Type() + "/" + a.Name))
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// Platform shows the account as GET /api/deployers does.
func (a Account) Platform() skipper.Platform {
	return skipper.Platform{
		ID: a.ID(), Name: a.Name, Type: a.Deployer.Type(),
		Description: a.Deployer.Describe(), Options: a.Deployer.Options(),
	}
}

// Accounts are the platform accounts of a server, in the order of its configuration. Names are unique.
type Accounts []Account

// Named gives the account of a name; CodeConflict with Skipper's sentence when there is none.
func (as Accounts) Named(name string) (Account, error) {
	i := slices.IndexFunc(as, func(a Account) bool { return a.Name == name })
	if i < 0 {
		return Account{}, skipper.Errorf(skipper.CodeConflict, "No deployer named '%s'", name)
	}
	return as[i], nil
}

// Webhook gives what takes the bodies of calls by a platform to one of its accounts; false unless there is such an account
// of that type which takes calls, and the secret is its own.
func (as Accounts) Webhook(platform, account, secret string) (func(body []byte), bool) {
	a, err := as.Named(account)
	if err != nil || a.Deployer.Type() != platform {
		return nil, false
	}
	hinter, ok := a.Deployer.(Hinter)
	if !ok || !hinter.VerifyWebhook(secret) {
		return nil, false
	}
	return hinter.Webhook, true
}
