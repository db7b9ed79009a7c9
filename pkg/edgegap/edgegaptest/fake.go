package edgegaptest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// maxBody bounds what a request may bring; the largest is the picture of an application.
const maxBody = 1 << 20

// Fake is Edgegap's API as an http.Handler. Its methods may be called at the same time.
type Fake struct {
	options Options

	mu      sync.Mutex
	state   *state
	random  *rand.Rand
	windows map[string][]time.Time // of calls that passed, by organization and bucket
	faults  []*Fault
	fates   []*Fate
	chaos   Chaos
	journal []Entry
	sent    []Delivery
}

// New gives a fake, with the state of Options.StateFile where there is one.
func New(options Options) (*Fake, error) {
	options = options.withDefaults()
	s, err := loadState(options)
	if err != nil {
		return nil, err
	}
	return &Fake{
		options: options, state: s, windows: map[string][]time.Time{},
		random: rand.New(rand.NewPCG(options.Seed, uint64(s.Sequence)+1)),
	}, nil
}

// now is the time of this fake: the clock's, and what Advance added.
func (f *Fake) now() time.Time { return f.options.Now().Add(f.state.Offset).UTC() }

// Now is the time of this fake.
func (f *Fake) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now()
}

// Advance lets time pass.
func (f *Fake) Advance(d time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state.Offset += d
	return f.save()
}

// request is a call that has been routed.
type request struct {
	*http.Request
	route  *route
	org    *organization
	params map[string]string
	query  url.Values
	body   []byte
	now    time.Time
	fault  Fault // what happens to this call; Kind empty for nothing
}

// reply is an answer. A nil body sends none.
type reply struct {
	status int
	body   any
	raw    string // sent instead of body
	kind   string // Content-Type of raw
	header map[string]string
	effect bool // something changed
}

func ok(body any) reply     { return reply{status: http.StatusOK, body: body} }
func changed(r reply) reply { r.effect = true; return r }
func refuse(status int, format string, args ...any) reply {
	return reply{status: status, body: map[string]any{"message": fmt.Sprintf(format, args...)}}
}

// ServeHTTP answers one call.
func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		f.write(w, refuse(http.StatusRequestEntityTooLarge, "the body is too large or did not arrive"), Fault{})
		return
	}
	if rest, control := strings.CutPrefix(r.URL.Path, "/_fake/"); control && f.options.Control {
		f.write(w, f.control(r, rest, body), Fault{})
		return
	}
	call := &request{Request: r, body: body}
	unknown := f.route(call)
	call.fault = f.pick(call)
	if err := f.before(r.Context(), call.fault); err != nil {
		return
	}
	answer, dropped := reply{status: StatusDropped}, true
	switch call.fault.Kind {
	case FaultDropBefore:
	case FaultAnswer:
		answer, dropped = call.fault.reply(), false
	default:
		answer, dropped = f.answer(call, unknown), call.fault.Kind == FaultDropAfter
	}
	f.note(call, answer, dropped)
	if dropped {
		drop(w)
		return
	}
	f.write(w, answer, call.fault)
}

// answer does what is asked.
func (f *Fake) answer(call *request, unknown *reply) reply {
	if unknown != nil {
		return f.refuseRoute(call, *unknown)
	}
	answer := f.handle(call)
	if call.fault.Kind == FaultAnswerAfter {
		return call.fault.reply()
	}
	return answer
}

// handle answers a call whose route is known: authentication, limit, strictness, effect, in this order.
func (f *Fake) handle(call *request) reply {
	f.mu.Lock()
	defer f.mu.Unlock()
	call.now = f.now()
	if refused := f.authenticate(call); refused != nil {
		return *refused
	}
	if refused := f.limit(call); refused != nil {
		return *refused
	}
	if refused := f.parameters(call); refused != nil {
		return *refused
	}
	answer := call.route.handle(f, call)
	if answer.effect {
		if err := f.save(); err != nil {
			return refuse(http.StatusInternalServerError, "%v", err)
		}
	}
	return answer
}

// authenticate takes exactly the word "token", a space and a known token.
func (f *Fake) authenticate(call *request) *reply {
	if call.route.bucket == bucketNone {
		return nil // brings a token of its own
	}
	unauthorized := refuse(http.StatusUnauthorized, "Unauthorized: the header must be Authorization: token <token>")
	header := call.Header.Values("Authorization")
	if len(header) != 1 {
		return &unauthorized
	}
	token, found := strings.CutPrefix(header[0], "token ")
	if !found || token == "" {
		return &unauthorized
	}
	for _, o := range f.state.Organizations {
		if o.Token != token {
			continue
		}
		if o.Revoked {
			forbidden := refuse(http.StatusForbidden, "Forbidden: this token has been deleted")
			return &forbidden
		}
		call.org = o
		return nil
	}
	return &unauthorized
}

// refuseRoute answers calls that nothing answers; without a token that is a 401 too.
func (f *Fake) refuseRoute(call *request, refusal reply) reply {
	f.mu.Lock()
	defer f.mu.Unlock()
	call.now = f.now()
	call.route = &route{name: "unknown"}
	if refused := f.authenticate(call); refused != nil {
		return *refused
	}
	return refusal
}

// parameters refuses query parameters the call does not have.
func (f *Fake) parameters(call *request) *reply {
	var err error
	if call.query, err = url.ParseQuery(call.URL.RawQuery); err != nil {
		refused := refuse(http.StatusBadRequest, "the query cannot be read")
		return &refused
	}
	if f.options.Lenient {
		return nil
	}
	for name, values := range call.query {
		if !strings.Contains(" "+call.route.parameters+" ", " "+name+" ") {
			refused := refuse(http.StatusBadRequest, "Extra query parameter '%s' not in spec", name)
			return &refused
		}
		if len(values) != 1 {
			refused := refuse(http.StatusBadRequest, "the parameter is given twice - '%s'", name)
			return &refused
		}
	}
	return nil
}

func (f *Fake) write(w http.ResponseWriter, answer reply, fault Fault) {
	text := []byte(answer.raw)
	kind := or(answer.kind, "application/json")
	if answer.body != nil {
		var err error
		if text, err = json.Marshal(answer.body); err != nil {
			answer.status, text = http.StatusInternalServerError, []byte(`{"message":"the answer cannot be written"}`)
		}
	}
	if len(text) > 0 {
		w.Header().Set("Content-Type", kind)
	}
	for name, value := range answer.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(answer.status)
	if fault.Kind == FaultTruncate && len(text) > 1 {
		text = text[:len(text)/2]
	}
	_, _ = w.Write(text)
}

// drop ends the connection without an answer.
func drop(w http.ResponseWriter) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	if tcp, is := connection.(*net.TCPConn); is {
		_ = tcp.SetLinger(0)
	}
	_ = connection.Close()
}

// before is what a fault does to a call before it is looked at.
func (f *Fake) before(ctx context.Context, fault Fault) error {
	if fault.Delay > 0 {
		return f.options.Wait(ctx, fault.Delay)
	}
	return nil
}
