// Package edgegap is a typed client of Edgegap (https://api.edgegap.com): deployments, private fleets, tags, logs,
// metrics, locations, applications and versions.
//
//	c, err := edgegap.New(edgegap.Options{Token: token})
//	id, err := c.Deploy(ctx, edgegap.DeployRequest{
//		Application: "arena", Version: "1.4.0", Users: []edgegap.User{edgegap.UserAt("203.0.113.7")},
//	})
//	d, err := c.Status(ctx, id)
//
// Calls keep to Edgegap's rate limits, which count per organization: use one Client for one token. A call is repeated
// only where that cannot do harm: after a 429, when the request never left, and, for reads and for calls that say the
// same twice, after an answer that was lost. A deploy is never sent again blindly; MayHaveHappened tells when to look
// for what it may have started.
//
// Errors are *Error with a Kind. The token is in no error, no log and no text of a Client.
//
// The package knows nothing of skiff. Package edgegaptest has a server to try it on.
package edgegap
