package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// anyOrigin is the origin that stands for all.
const anyOrigin = "*"

// checkOrigins says what is wrong with a list of origins.
func checkOrigins(origins []string) error {
	for _, o := range origins {
		if o == anyOrigin {
			continue
		}
		u, err := url.Parse(o)
		if err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != o {
			return fmt.Errorf("api: %q is not an origin such as https://app.example, or *", o)
		}
	}
	return nil
}

// cors lets the pages of Config.Origins read the answers of a handler. Without
// any, browsers keep all other origins' pages out. Credentials are never
// allowed: this API takes none.
func (s *Server) cors(next http.Handler) http.Handler {
	if len(s.cfg.Origins) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Vary", "Origin")
		origin := first(r.Header, "Origin")
		if origin == "" || !s.originAllowed(origin) {
			next.ServeHTTP(w, r)
			return
		}
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", "Freshet-LSN, Freshet-Stale, ETag, Retry-After")
		if r.Method == http.MethodOptions && first(r.Header, "Access-Control-Request-Method") != "" {
			preflight(h, r)
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) originAllowed(origin string) bool {
	return slices.Contains(s.cfg.Origins, anyOrigin) || slices.Contains(s.cfg.Origins, origin)
}

// preflight answers a browser's question whether it may send a request. Its
// headers may be any: none of them gives a right to anything.
func preflight(h http.Header, r *http.Request) {
	h.Set("Access-Control-Allow-Methods", allowed)
	if asked := first(r.Header, "Access-Control-Request-Headers"); asked != "" {
		h.Set("Access-Control-Allow-Headers", asked)
		h.Add("Vary", "Access-Control-Request-Headers")
	}
	h.Set("Access-Control-Max-Age", "7200")
}
