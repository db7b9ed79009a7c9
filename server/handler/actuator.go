package handler

import (
	"context"
	"log/slog"
	"net/http"
)

func (h *Handler) actuatorRoutes() []route {
	actuator := func(path string, serve endpoint) route {
		types := []string{typeActuator, typeActuatorV2, typeJSON}
		return route{method: http.MethodGet, path: "/actuator" + path, types: types, serve: compacted(serve)}
	}
	return []route{
		actuator("", h.actuatorIndex),
		actuator("/health", h.health),
		actuator("/health/liveness", func(context.Context, request) (answer, error) { return healthAnswer("UP") }),
		actuator("/health/readiness", h.readiness),
		actuator("/info", h.info),
		// Spring Boot shows no single components unless it is told to.
		{method: http.MethodGet, path: "/actuator/health/:component", serve: nothingThere},
	}
}

func nothingThere(context.Context, request) (answer, error) { return answer{}, notThere() }

// actuatorLink names templated in any case, as Spring Boot does.
type actuatorLink struct {
	Href      string `json:"href"`
	Templated bool   `json:"templated"`
}

func (h *Handler) actuatorIndex(_ context.Context, r request) (answer, error) {
	base := r.base + "/actuator"
	type links struct {
		Self       actuatorLink `json:"self"`
		Health     actuatorLink `json:"health"`
		HealthPath actuatorLink `json:"health-path"`
		Info       actuatorLink `json:"info"`
	}
	return ok(struct {
		Links links `json:"_links"`
	}{links{
		Self:       actuatorLink{Href: base},
		Health:     actuatorLink{Href: base + "/health"},
		HealthPath: actuatorLink{Href: base + "/health/{*path}", Templated: true},
		Info:       actuatorLink{Href: base + "/info"},
	}})
}

// healthAnswer gives 503 for any status but UP.
func healthAnswer(status string) (answer, error) {
	a := answer{body: map[string]string{"status": status}}
	if status != "UP" {
		a.status = http.StatusServiceUnavailable
	}
	return a, nil
}

func (h *Handler) health(ctx context.Context, _ request) (answer, error) {
	if !h.storeThere(ctx) {
		return healthAnswer("DOWN")
	}
	return healthAnswer("UP")
}

// readiness is false while the server stops, so that no more requests are sent to it.
func (h *Handler) readiness(ctx context.Context, _ request) (answer, error) {
	if h.stopping() || !h.storeThere(ctx) {
		return healthAnswer("OUT_OF_SERVICE")
	}
	return healthAnswer("UP")
}

func (h *Handler) storeThere(ctx context.Context) bool {
	err := h.ping(ctx)
	if err != nil {
		h.logger.WarnContext(ctx, "the store does not answer", slog.Any("error", err))
	}
	return err == nil
}

func (h *Handler) info(context.Context, request) (answer, error) {
	type build struct {
		Artifact string `json:"artifact"`
		Name     string `json:"name"`
		Version  string `json:"version"`
		Group    string `json:"group"`
	}
	return ok(struct {
		Build build `json:"build"`
	}{build{Artifact: "skiff", Name: "skiff", Version: h.version, Group: "io.skiff"}})
}
