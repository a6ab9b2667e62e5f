// Verifies Tacit's access tokens in this process: no request to Tacit for a request of yours.
// Nothing but Go's own library is needed.

package main

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// ErrRefused: this token is not good, 401. ErrUnavailable: whether it is cannot be known right now, 503, never yes.
var (
	ErrRefused     = errors.New("refused")
	ErrUnavailable = errors.New("unavailable")
)

// Claims of a user's token. Those that a client gets for itself have no sid and no ver, and are refused here.
type Claims struct {
	Iss      string  `json:"iss"`
	Aud      string  `json:"aud"`
	Exp      *int64  `json:"exp"`
	Nbf      int64   `json:"nbf"`
	Sub      string  `json:"sub"`
	Sid      string  `json:"sid"`
	Ver      *int64  `json:"ver"`
	Username *string `json:"username"`
	Role     string  `json:"role"`
}

// Key is a key and the one algorithm that it is for: a token cannot choose another.
type Key struct {
	Algorithm string
	Value     any
}

// verifies tells whether a signature is this key's.
func (key Key) verifies(signed string, signature []byte) bool {
	switch value := key.Value.(type) {
	case []byte:
		mac := hmac.New(sha256.New, value)
		mac.Write([]byte(signed))
		return hmac.Equal(mac.Sum(nil), signature)
	case ed25519.PublicKey:
		return ed25519.Verify(value, []byte(signed), signature)
	case *ecdsa.PublicKey:
		if len(signature) != 64 {
			return false
		}
		digest := sha256.Sum256([]byte(signed))
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		return ecdsa.Verify(value, digest[:], r, s)
	}
	return false
}

// Keys finds the key that a token's header names.
type Keys interface {
	Find(kid string) (Key, error)
}

// SecretKeys are those of HS256, which Tacit signs and verifies with. Whoever has one can also make tokens.
type SecretKeys map[string]Key

func ReadSecretKeys(paths []string) (SecretKeys, error) {
	keys := SecretKeys{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		secret := []byte(strings.TrimSpace(string(text)))
		// Tacit names the key of a token in its header, by this.
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte("tacit kid"))
		keys[hex.EncodeToString(mac.Sum(nil))[:16]] = Key{"HS256", secret}
	}
	return keys, nil
}

func (keys SecretKeys) Find(kid string) (Key, error) {
	if key, known := keys[kid]; known {
		return key, nil
	}
	return Key{}, ErrRefused
}

// PublishedKeys are those of EdDSA and ES256, at /.well-known/jwks.json. They verify, and cannot make a token.
//
// They are fetched anew every five minutes, so that a retired key is forgotten, and for an unknown key at once, but only
// once a second: anybody can name unknown keys.
type PublishedKeys struct {
	URL     string
	mutex   sync.Mutex
	keys    map[string]Key
	fetched time.Time
	tried   time.Time
	failed  bool
}

func (p *PublishedKeys) Find(kid string) (Key, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	_, known := p.keys[kid]
	if (!known || time.Since(p.fetched) > 5*time.Minute) && time.Since(p.tried) > time.Second {
		p.tried = time.Now()
		keys, err := fetchKeys(p.URL)
		if p.failed = err != nil; !p.failed {
			p.keys, p.fetched = keys, p.tried
		}
	}
	if key, known := p.keys[kid]; known {
		return key, nil
	}
	if p.failed {
		return Key{}, ErrUnavailable
	}
	return Key{}, ErrRefused
}

func fetchKeys(url string) (map[string]Key, error) {
	var set struct {
		Keys []struct{ Kid, Kty, Crv, Alg, X, Y string }
	}
	client := http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %d", url, answer.StatusCode)
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&set); err != nil {
		return nil, err
	}
	keys := map[string]Key{}
	for _, key := range set.Keys {
		x, err := base64.RawURLEncoding.DecodeString(key.X)
		if err != nil {
			return nil, err
		}
		y, err := base64.RawURLEncoding.DecodeString(key.Y)
		if err != nil {
			return nil, err
		}
		switch {
		case key.Alg == "EdDSA" && key.Crv == "Ed25519" && len(x) == ed25519.PublicKeySize:
			keys[key.Kid] = Key{key.Alg, ed25519.PublicKey(x)}
		case key.Alg == "ES256" && key.Crv == "P-256":
			point := ecdsa.PublicKey{Curve: elliptic.P256(), X: new(big.Int).SetBytes(x), Y: new(big.Int).SetBytes(y)}
			keys[key.Kid] = Key{key.Alg, &point}
		}
	}
	return keys, nil
}

// Revocations is what Tacit ended before its time.
type Revocations struct {
	URL          string
	ClientID     string
	ClientSecret string
	Wait         time.Duration // how long Tacit waits for news
	MaxAge       time.Duration // how long what was heard last counts while Tacit is away
	Keep         time.Duration // how long what was listed is remembered
	mutex        sync.RWMutex
	heard        time.Time
	sessions     map[string]time.Time // when each was last listed
	users        map[string]change
}

type change struct {
	ver    int64
	listed time.Time
}

type feed struct {
	Sessions []struct{ Sid string }
	Users    []struct {
		Sub string
		Ver int64
	}
}

// After news. Of several replicas one has it up to a second before the others, and each would answer at once.
const pause = 250 * time.Millisecond

// Follow asks for ever; Tacit answers as soon as there is news.
func (r *Revocations) Follow() {
	client := http.Client{Timeout: r.Wait + 10*time.Second}
	etag := ""
	for {
		switch news, err := r.ask(&client, &etag); {
		case err != nil:
			time.Sleep(time.Second)
		case news:
			time.Sleep(pause)
		}
	}
}

// ask tells whether there was news.
func (r *Revocations) ask(client *http.Client, etag *string) (bool, error) {
	request, err := http.NewRequest(http.MethodGet, fmt.Sprintf("%s?wait=%d", r.URL, int(r.Wait.Seconds())), nil)
	if err != nil {
		return false, err
	}
	request.SetBasicAuth(r.ClientID, r.ClientSecret)
	request.Header.Set("If-None-Match", *etag)
	answer, err := client.Do(request)
	if err != nil {
		return false, err
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusNotModified {
		r.mutex.Lock()
		r.heard = time.Now()
		r.mutex.Unlock()
		return false, nil
	}
	if answer.StatusCode != http.StatusOK {
		return false, fmt.Errorf("%s answers %d", r.URL, answer.StatusCode)
	}
	var news feed
	if err := json.NewDecoder(answer.Body).Decode(&news); err != nil {
		return false, err
	}
	r.add(news)
	*etag = answer.Header.Get("ETag")
	return true, nil
}

// add keeps for a while what is not listed any more: this may be the answer of a replica that knows less.
func (r *Revocations) add(news feed) {
	now := time.Now()
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.sessions == nil {
		r.sessions, r.users = map[string]time.Time{}, map[string]change{}
	}
	r.heard = now
	for sid, listed := range r.sessions {
		if now.Sub(listed) >= r.Keep {
			delete(r.sessions, sid)
		}
	}
	for sub, known := range r.users {
		if now.Sub(known.listed) >= r.Keep {
			delete(r.users, sub)
		}
	}
	for _, session := range news.Sessions {
		r.sessions[session.Sid] = now
	}
	for _, user := range news.Users {
		ver := user.Ver
		if known := r.users[user.Sub]; known.ver > ver {
			ver = known.ver
		}
		r.users[user.Sub] = change{ver, now}
	}
}

func (r *Revocations) check(claims *Claims) error {
	r.mutex.RLock()
	defer r.mutex.RUnlock()
	// Tacit is away: what was heard last counts for a while, and then nobody is let in.
	if time.Since(r.heard) > r.MaxAge {
		return ErrUnavailable
	}
	// A version is raised when a user is disabled, gets another role or another name.
	if _, ended := r.sessions[claims.Sid]; ended || *claims.Ver < r.users[claims.Sub].ver {
		return ErrRefused
	}
	return nil
}

// Verifier holds the rules by which a token is good.
type Verifier struct {
	Issuer      string
	Audience    string
	Keys        Keys
	Revocations *Revocations
}

// Verify gives the claims of a good token of a user.
func (v *Verifier) Verify(token string) (*Claims, error) {
	var header struct {
		Alg, Typ, Kid string
		Crit          json.RawMessage
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 || decode(parts[0], &header) != nil || header.Typ != "at+jwt" || header.Crit != nil {
		return nil, ErrRefused
	}
	key, err := v.Keys.Find(header.Kid)
	if err != nil {
		return nil, err
	}
	// The signature first: before that nothing of the token can be believed.
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil || header.Alg != key.Algorithm || !key.verifies(parts[0]+"."+parts[1], signature) {
		return nil, ErrRefused
	}
	claims := &Claims{}
	if decode(parts[1], claims) != nil || claims.Iss != v.Issuer || claims.Aud != v.Audience {
		return nil, ErrRefused
	}
	now := time.Now().Unix()
	if claims.Exp == nil || now >= *claims.Exp || now < claims.Nbf {
		return nil, ErrRefused
	}
	if claims.Sub == "" || claims.Sid == "" || claims.Ver == nil {
		return nil, ErrRefused
	}
	return claims, v.Revocations.check(claims)
}

// decode reads a part of a token: JSON in base64url.
func decode(part string, into any) error {
	text, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
