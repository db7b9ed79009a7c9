package skipper

// ActuatorRequest is passed on to the actuator of one instance of an application.
type ActuatorRequest struct {
	Method        string // GET or POST
	Endpoint      string // below the actuator, not encoded, perhaps with a query: /loggers/ROOT, /metrics/x?tag=a:b
	Body          []byte // JSON; nil: none
	Authorization string // of the caller; empty: the credentials of the platform account
}
