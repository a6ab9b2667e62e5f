// A protected route in plain Go. Settings come from the environment; ../README.md has them all.

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

func setting(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}

func seconds(name, fallback string) time.Duration {
	count, err := strconv.Atoi(setting(name, fallback))
	if err != nil {
		log.Fatalf("%s: expected a number of seconds", name)
	}
	return time.Duration(count) * time.Second
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

type detail struct {
	Detail string `json:"detail"`
}

// signedIn lets a handler run for whoever is signed in, and nobody else (RFC 6750, section 3).
func signedIn(verifier *Verifier, handler func(http.ResponseWriter, *http.Request, *Claims)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			w.Header().Set("WWW-Authenticate", "Bearer")
			answer(w, http.StatusUnauthorized, detail{"Not authenticated"})
			return
		}
		claims, err := verifier.Verify(strings.TrimSpace(token))
		switch {
		case errors.Is(err, ErrUnavailable):
			w.Header().Set("Retry-After", "1")
			answer(w, http.StatusServiceUnavailable, detail{"Try again"})
		case err != nil:
			// Why is nobody else's business.
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			answer(w, http.StatusUnauthorized, detail{"Invalid or expired token"})
		default:
			handler(w, r, claims)
		}
	}
}

func hello(w http.ResponseWriter, _ *http.Request, user *Claims) {
	answer(w, http.StatusOK, map[string]any{"user_id": user.Sub, "username": user.Username, "role": user.Role})
}

func main() {
	issuer := setting("TACIT_ISSUER", "http://localhost:8080")
	var keys Keys = &PublishedKeys{URL: setting("TACIT_JWKS_URL", issuer+"/.well-known/jwks.json")}
	if paths := os.Getenv("TACIT_SECRET_FILES"); paths != "" {
		secrets, err := ReadSecretKeys(strings.Split(paths, ","))
		if err != nil {
			log.Fatal(err)
		}
		keys = secrets
	}
	revocations := &Revocations{
		URL:          setting("TACIT_REVOCATIONS_URL", issuer+"/revocations"),
		ClientID:     os.Getenv("TACIT_CLIENT_ID"),
		ClientSecret: os.Getenv("TACIT_CLIENT_SECRET"),
		Wait:         seconds("TACIT_FEED_WAIT", "30"),
		MaxAge:       seconds("TACIT_FEED_MAX_AGE", "60"),
		Keep:         seconds("TACIT_FEED_KEEP", "1020"),
	}
	go revocations.Follow()
	verifier := &Verifier{issuer, setting("TACIT_AUDIENCE", "tacit"), keys, revocations}

	mux := http.NewServeMux()
	mux.HandleFunc("/hello", signedIn(verifier, hello))
	listener, err := net.Listen("tcp", "127.0.0.1:"+setting("PORT", "9000"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	server := http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.Serve(listener))
}
