package app

import (
	"context"
	"sync"
	"time"

	"github.com/skiff-project/skiff/pkg/deployer"
	"github.com/skiff-project/skiff/pkg/skipper"
)

// hostStore remembers the hosts of accounts.
type hostStore interface {
	BindAccount(ctx context.Context, name, host string) (string, error)
	AccountHost(ctx context.Context, name string) (string, error)
}

// hosts keeps accounts whose applications are processes of one machine to that machine: they belong to the host that
// uses them first. Another server on the same store neither changes them nor guesses how they are.
type hosts struct {
	store hostStore
	host  string // of this server
	alone bool   // no other server can use the store: all is this host's

	mu    sync.Mutex
	known map[string]string // host by account; empty: not bound when it was last asked for
}

func newHosts(store hostStore, host string, alone bool) *hosts {
	return &hosts{store: store, host: host, alone: alone, known: map[string]string{}}
}

// keep puts a guard before the deployer of an account.
func (h *hosts) keep(account string, d deployer.Deployer) deployer.Deployer {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.known[account] = ""
	out := &hosted{Deployer: d, hosts: h, account: account}
	if a, ok := d.(deployer.Actuator); ok {
		return hostedActuator{hosted: out, Actuator: a}
	}
	return out
}

// ReadLogs reads those of this host; ErrUnsupported where the deployer has no lines.
func (d *hosted) ReadLogs(ctx context.Context, h deployer.Handle, o deployer.LogOptions,
	emit func(deployer.LogLine) error,
) error {
	if err := d.hosts.look(ctx, d.account); err != nil {
		return err
	}
	reader, ok := d.Deployer.(deployer.LogReader)
	if !ok {
		return deployer.ErrUnsupported
	}
	return reader.ReadLogs(ctx, h, o, emit)
}

// bind makes an account this host's if it is nobody's; ErrUnavailable when it is another one's.
func (h *hosts) bind(ctx context.Context, account string) error {
	return h.check(ctx, account, func(ctx context.Context, name string) (string, error) {
		return h.store.BindAccount(ctx, name, h.host)
	})
}

// look is bind for those who change nothing: an account that is nobody's can be asked.
func (h *hosts) look(ctx context.Context, account string) error {
	if h.alone {
		return h.bind(ctx, account) // the machine may have had another name
	}
	return h.check(ctx, account, h.store.AccountHost)
}

func (h *hosts) check(ctx context.Context, account string, ask func(context.Context, string) (string, error)) error {
	h.mu.Lock()
	host := h.known[account]
	h.mu.Unlock()
	if host == "" {
		var err error
		if host, err = ask(ctx, account); err != nil {
			return deployer.Errorf(deployer.ErrUnavailable, "the host of account %s is not known: %w", account, err)
		}
		h.mu.Lock()
		h.known[account] = host
		h.mu.Unlock()
	}
	if host != "" && host != h.host {
		return deployer.Errorf(deployer.ErrUnavailable,
			"account %s belongs to host %s, and this is %s; ask the server there, or set host.id if this is that machine",
			account, host, h.host)
	}
	return nil
}

// elsewhere lists the accounts that belong to other hosts.
func (h *hosts) elsewhere() []string {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	h.mu.Lock()
	accounts := make([]string, 0, len(h.known))
	for name := range h.known {
		accounts = append(accounts, name)
	}
	h.mu.Unlock()
	var out []string
	for _, name := range accounts {
		_ = h.look(ctx, name) // what is not known now is tried here, where the guard asks again
		h.mu.Lock()
		if host := h.known[name]; host != "" && host != h.host {
			out = append(out, name)
		}
		h.mu.Unlock()
	}
	return out
}

// hosted guards a deployer. What tells of applications asks first as well: from here they would look gone.
type hosted struct {
	deployer.Deployer

	hosts   *hosts
	account string
}

// hostedActuator is a hosted deployer that reaches the endpoints of instances; where they are is part of their handle.
type hostedActuator struct {
	*hosted
	deployer.Actuator
}

// Validate is the first use of an account.
func (d *hosted) Validate(ctx context.Context, r deployer.Request) error {
	if err := d.hosts.bind(ctx, d.account); err != nil {
		return err
	}
	return d.Deployer.Validate(ctx, r)
}

// Deploy deploys on this host.
func (d *hosted) Deploy(ctx context.Context, r deployer.Request, previous *deployer.Handle,
	save func(deployer.Handle) error,
) (deployer.Handle, error) {
	if err := d.hosts.bind(ctx, d.account); err != nil {
		return deployer.Handle{}, err
	}
	return d.Deployer.Deploy(ctx, r, previous, save)
}

// Undeploy removes what runs on this host.
func (d *hosted) Undeploy(ctx context.Context, o deployer.Owner, h deployer.Handle) error {
	if err := d.hosts.bind(ctx, d.account); err != nil {
		return err
	}
	return d.Deployer.Undeploy(ctx, o, h)
}

// Scale scales what runs on this host.
func (d *hosted) Scale(ctx context.Context, r deployer.Request, h deployer.Handle, count int,
	save func(deployer.Handle) error,
) (deployer.Handle, error) {
	if err := d.hosts.bind(ctx, d.account); err != nil {
		return h, err
	}
	return d.Deployer.Scale(ctx, r, h, count, save)
}

// Status tells of this host.
func (d *hosted) Status(ctx context.Context, handles []deployer.Handle) (map[string]skipper.AppStatus, error) {
	if err := d.hosts.look(ctx, d.account); err != nil {
		return nil, err
	}
	return d.Deployer.Status(ctx, handles)
}

// Logs reads those of this host.
func (d *hosted) Logs(ctx context.Context, h deployer.Handle, limit int64) (string, error) {
	if err := d.hosts.look(ctx, d.account); err != nil {
		return "", err
	}
	return d.Deployer.Logs(ctx, h, limit)
}

// Discover lists what runs on this host.
func (d *hosted) Discover(ctx context.Context, o deployer.Owner) ([]deployer.Found, error) {
	if err := d.hosts.look(ctx, d.account); err != nil {
		return nil, err
	}
	return d.Deployer.Discover(ctx, o)
}
