package deployer

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/skiff-project/skiff/pkg/resource"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// Keys of deployment properties that all platforms share.
const (
	PropertyPrefix = "spring.cloud.deployer."
	CountKey       = PropertyPrefix + "count"   // instances; default 1
	GroupKey       = PropertyPrefix + "group"   // default: the release name
	IndexedKey     = PropertyPrefix + "indexed" // each instance knows its index
	AppNameKey     = PropertyPrefix + "appName" // metadata.name of the manifest
	MemoryKey      = PropertyPrefix + "memory"  // as 512m or 1g
)

// Owner says whose a deployment is.
type Owner struct {
	Installation string // id of this installation (of its store); marks of another one are not ours
	Account      string // platform account
	Release      string
	Version      int
	App          string // metadata.name of the manifest
}

// Request is one application to be deployed.
type Request struct {
	Owner      Owner
	Name       string            // metadata.name + "-v" + release version, as log-v2
	Group      string            // the release name unless GroupKey says otherwise
	Properties map[string]string // for the application
	Deployment map[string]string // for the deployer; never reaches the application
	Resource   resource.Ref      // what runs
	Count      int               // instances, 0 or more
	Indexed    bool
}

// Handle is what a deployer remembers of a deployment; the server stores it. It carries no secret.
type Handle struct {
	ID       string          // deployment id
	SpecHash string          // SpecHash of the request it was made from
	Data     json.RawMessage // the deployer's own, versioned JSON of at most 256 KiB; nil before Deploy saved any
}

// Deployer runs applications on one platform account. Its methods may be called at the same time; the server calls no
// two changing verbs for one deployment id at once. Errors are those of errors.go, free of secrets.
type Deployer interface {
	// Type is the platform's type: local, docker, kubernetes, cloudfoundry or edgegap.
	Type() string
	// Describe is the description of the account in /api/deployers.
	Describe() string
	// Options lists the deployment properties the platform understands, in a stable order.
	Options() []skipper.Option
	// ID gives the deployment id of a request. It is pure: the same request has the same id for ever.
	ID(r Request) (string, error)
	// Validate says what is wrong with a request, without touching the platform. ErrInvalid, one error per problem.
	Validate(ctx context.Context, r Request) error

	// Deploy sees to it that the deployment of the request exists, and returns when the platform accepted it, not when
	// it is healthy. The same id with the same SpecHash already there: its handle, no error. The same id with another
	// spec: ErrExists. previous is the handle as last stored, nil at the first try; what is found by owner mark though
	// previous does not know it, is adopted. save stores a handle before the effect it foretells; if it fails, Deploy
	// stops before that effect; so it does when the context ends. The handle is valid also with an error: it tells what
	// may exist.
	Deploy(ctx context.Context, r Request, previous *Handle, save func(Handle) error) (Handle, error)
	// Undeploy removes all of a deployment, also a half-made one and one whose handle has no Data (then it goes by the
	// owner mark). Nothing there: nil. It may return before all is gone: Status says unknown when it is.
	Undeploy(ctx context.Context, owner Owner, h Handle) error
	// Status answers for every handle: unknown, without instances, where the platform has nothing of it.
	// A platform that cannot be asked is an error, never unknown. Instances that failed say why: see AttributeReason.
	Status(ctx context.Context, handles []Handle) (map[string]skipper.AppStatus, error)
	// Scale sets the number of instances, 0 or more, and gives the handle to store; its SpecHash stays. r is the request
	// the deployment was made from, its count aside: new instances are as the old ones. save works as in Deploy.
	// ErrNotFound when nothing of it is on the platform.
	Scale(ctx context.Context, r Request, h Handle, count int, save func(Handle) error) (Handle, error)
	// Logs gives the end of the output of all instances, at most limit bytes of each stream, framed as Skipper does:
	// per instance "stderr:" and "stdout:" on lines of their own, each only before text. Nothing there: an empty text.
	Logs(ctx context.Context, h Handle, limit int64) (string, error)
	// Discover lists what lives on this account and carries our owner mark; zero fields of the filter match anything,
	// Installation must be given. The marks of other installations and accounts on the same platform are left out.
	Discover(ctx context.Context, filter Owner) ([]Found, error)
	// Ping says whether the account can be used now.
	Ping(ctx context.Context) error
	// Close lets go of the deployer's own resources; applications keep running.
	Close(ctx context.Context) error
}

// Actuator is a deployer that can reach the HTTP endpoints of an instance; found by type assertion.
type Actuator interface {
	// Instance gives the base URL of an instance and headers to send. ErrNotFound when no such instance is deployed.
	Instance(ctx context.Context, h Handle, guid string) (*url.URL, http.Header, error)
}

// Found is a deployment found on the platform by its owner mark.
type Found struct {
	Owner Owner
	ID    string // deployment id
	// SpecHash is that of the request it was made from; empty where the platform does not keep it.
	SpecHash string
	Since    time.Time
}
