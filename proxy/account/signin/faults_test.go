package signin

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/oauth"
	"github.com/korproxy/korproxy/internal/oauth/oauthtest"
	"github.com/korproxy/korproxy/proxy"
)

// trial is a sign-in with something in its way.
type trial struct {
	server  *oauthtest.Server
	ca      *oauthtest.Authority
	trusted bool // the authority is known here
	now     func() time.Time
	way     func(*proxy.Way)
	edit    func(*url.URL) // of the address the browser comes back to
	device  bool
}

func year(n int) time.Time { return time.Now().AddDate(n, 0, 0) }

// closedPort is an address nothing listens at.
func closedPort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// fixed has a server answer a path with fixed bytes.
func fixed(path string, status int, body string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != path {
			return false
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		return true
	}
}

const metadataPath = "/.well-known/openid-configuration"

// Each fault a sign-in can meet is made for real and has its own code and words.
func TestFaults(t *testing.T) {
	for _, tc := range []struct {
		name string
		make func(t *testing.T, x *trial)
		want fault.Code
		says string
	}{
		{"no fault", func(t *testing.T, x *trial) { x.trusted = true; x.start(t, -1, 1) }, "", ""},
		{"something intercepts TLS", func(t *testing.T, x *trial) { x.start(t, -1, 1) }, fault.TLSIntercepted, `"Inspection CA"`},
		{"a certificate for another name", func(t *testing.T, x *trial) {
			x.trusted = true
			x.server.StartAs(x.ca.Issue(t, year(-1), year(1), "portal.hotel"))
		}, fault.TLSIntercepted, "another name"},
		{"a page of the network instead of TLS", func(t *testing.T, x *trial) {
			x.server.Start()
			x.way = func(w *proxy.Way) { w.Issuer = strings.Replace(w.Issuer, "http:", "https:", 1) }
		}, fault.TLSIntercepted, "without TLS"},
		{"a clock ahead of the certificate", func(t *testing.T, x *trial) {
			x.trusted = true
			x.start(t, -1, 1)
			x.now = func() time.Time { return year(3) }
		}, fault.ClockSkew, "this machine's clock shows 20"},
		{"a clock behind the certificate", func(t *testing.T, x *trial) {
			x.trusted = true
			x.start(t, -1, 1)
			x.now = func() time.Time { return year(-3) }
		}, fault.ClockSkew, "the server's 20"},
		{"a certificate that has run out, with the clock right", func(t *testing.T, x *trial) {
			x.trusted = true
			x.start(t, -2, -1)
		}, fault.ProviderDown, "the clocks agree"},
		{"a clock ahead of the ID token", func(t *testing.T, x *trial) {
			x.server.Start()
			x.now = func() time.Time { return time.Now().Add(3 * time.Hour) }
		}, fault.ClockSkew, "ID token"},
		{"a clock behind the ID token", func(t *testing.T, x *trial) {
			x.server.Start()
			x.now = func() time.Time { return time.Now().Add(-time.Hour) }
		}, fault.ClockSkew, "was issued at"},
		{"an ID token that ended before it was made", func(t *testing.T, x *trial) {
			x.server.Claims = func(c map[string]any) { c["exp"] = year(-1).Unix() }
			x.server.Start()
		}, fault.SignInAnswer, "clocks agree"},
		{"a port that is taken", func(t *testing.T, x *trial) {
			x.server.Start()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			x.way = func(w *proxy.Way) { w.RedirectPort = l.Addr().(*net.TCPAddr).Port }
		}, fault.LoopbackTaken, "taken by another program"},
		{"consent refused", func(t *testing.T, x *trial) { x.server.Deny = true; x.server.Start() }, fault.SignInRefused, "the user declined"},
		{"consent refused on the device", func(t *testing.T, x *trial) {
			x.device = true
			x.server.Odd = fixed("/token", 400, `{"error":"access_denied"}`)
			x.server.Start()
		}, fault.SignInRefused, ""},
		{"consent refused on the device, as Entra ID says it", func(t *testing.T, x *trial) {
			x.device = true
			x.server.Odd = fixed("/token", 400, `{"error":"authorization_declined"}`)
			x.server.Start()
		}, fault.SignInRefused, ""},
		{"a client the page does not know", func(t *testing.T, x *trial) {
			x.server.Start()
			x.edit = func(u *url.URL) {
				q := u.Query()
				q.Set("error", "unauthorized_client")
				u.RawQuery = q.Encode()
			}
		}, fault.ClientRefused, ""},
		{"a client the token endpoint does not know", func(t *testing.T, x *trial) {
			x.server.Odd = fixed("/token", 401, `{"error":"invalid_client"}`)
			x.server.Start()
		}, fault.ClientRefused, "invalid_client"},
		{"no client at all", func(t *testing.T, x *trial) {
			x.server.Start()
			x.way = func(w *proxy.Way) { w.ClientID = "" }
		}, fault.ClientRefused, "client_id"},
		{"a page that fails", func(t *testing.T, x *trial) {
			x.server.Start()
			x.edit = func(u *url.URL) {
				q := u.Query()
				q.Set("error", "temporarily_unavailable")
				u.RawQuery = q.Encode()
			}
		}, fault.ProviderDown, ""},
		{"a name that does not exist", func(t *testing.T, x *trial) {
			x.server.Start()
			x.way = func(w *proxy.Way) { w.Issuer = "https://sign-in.invalid" }
		}, fault.NetworkDown, "sign-in.invalid"},
		{"nothing listens", func(t *testing.T, x *trial) {
			x.server.Start()
			at := closedPort(t)
			x.way = func(w *proxy.Way) { w.Issuer = "https://" + at }
		}, fault.ProviderDown, "refused"},
		{"a server that fails", func(t *testing.T, x *trial) {
			x.server.Odd = fixed(metadataPath, 503, "<html>")
			x.server.Start()
		}, fault.ProviderDown, "503"},
		{"a token endpoint that fails", func(t *testing.T, x *trial) {
			x.server.Odd = fixed("/token", 502, "<html>Bad gateway</html>")
			x.server.Start()
		}, fault.ProviderDown, "502"},
		{"a server that hangs up", func(t *testing.T, x *trial) {
			x.server.Odd = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != "/token" {
					return false
				}
				panic(http.ErrAbortHandler)
			}
			x.server.Start()
		}, fault.ProviderDown, "broke the connection off"},
		{"a device code that has expired there", func(t *testing.T, x *trial) {
			x.device = true
			x.server.Odd = fixed("/token", 400, `{"error":"expired_token"}`)
			x.server.Start()
		}, fault.CodeExpired, ""},
		{"a device code nobody entered", func(t *testing.T, x *trial) {
			x.device = true
			x.server.Odd = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != "/device" {
					return false
				}
				fmt.Fprintf(w, `{"device_code":"d","user_code":"U","verification_url":"http://%s/go","expires_in":"1"}`, r.Host)
				return true
			}
			x.server.Start()
		}, fault.CodeExpired, "within 1s"},
		{"an issuer that calls itself another", func(t *testing.T, x *trial) {
			x.server.Odd = fixed(metadataPath, 200, `{"issuer":"https://evil.example","token_endpoint":"https://evil.example/t"}`)
			x.server.Start()
		}, fault.SignInAnswer, "evil.example"},
		{"no metadata", func(t *testing.T, x *trial) {
			x.server.Odd = fixed(metadataPath, 404, "no")
			x.server.Start()
		}, fault.SignInAnswer, "no metadata"},
		{"metadata that is a page", func(t *testing.T, x *trial) {
			x.server.Odd = fixed(metadataPath, 200, "<html>")
			x.server.Start()
		}, fault.SignInAnswer, "not usable"},
		{"an answer that is a page", func(t *testing.T, x *trial) {
			x.server.Odd = fixed("/token", 200, "<html>")
			x.server.Start()
		}, fault.SignInAnswer, ""},
		{"an issuer without TLS", func(t *testing.T, x *trial) {
			x.server.Start()
			x.way = func(w *proxy.Way) { w.Issuer = "http://sign-in.example" }
		}, fault.SignInAnswer, "https"},
		{"a token endpoint without TLS", func(t *testing.T, x *trial) {
			x.server.Start()
			x.way = func(w *proxy.Way) { w.TokenURL = "http://sign-in.invalid/token" }
		}, fault.SignInAnswer, "https"},
		{"a token endpoint that sends the code elsewhere", func(t *testing.T, x *trial) {
			other := oauthtest.Started(t)
			t.Cleanup(func() {
				if n := len(other.Forms("")); n != 0 {
					t.Errorf("%d forms went elsewhere", n)
				}
			})
			x.server.Odd = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != "/token" {
					return false
				}
				http.Redirect(w, r, other.URL+"/token", http.StatusTemporaryRedirect)
				return true
			}
			x.server.Start()
		}, fault.SignInAnswer, "307"},
		{"an ID token for another client", func(t *testing.T, x *trial) {
			x.server.Claims = func(c map[string]any) { c["aud"] = "other" }
			x.server.Start()
		}, fault.SignInAnswer, "another client"},
		{"an ID token for several clients", func(t *testing.T, x *trial) {
			x.server.Claims = func(c map[string]any) { c["aud"] = []any{c["aud"], "other"} }
			x.server.Start()
		}, fault.SignInAnswer, "another client"},
		{"an ID token of another issuer", func(t *testing.T, x *trial) {
			x.server.Claims = func(c map[string]any) { c["iss"] = "https://evil.example" }
			x.server.Start()
		}, fault.SignInAnswer, "another issuer"},
		{"an ID token of another sign-in", func(t *testing.T, x *trial) {
			x.server.Claims = func(c map[string]any) { c["nonce"] = "other" }
			x.server.Start()
		}, fault.StateMismatch, "another sign-in"},
		{"an ID token that is not signed", func(t *testing.T, x *trial) {
			none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(`{}`)) + "."
			x.server.Odd = fixed("/token", 200, `{"access_token":"a","id_token":"`+none+`"}`)
			x.server.Start()
		}, fault.SignInAnswer, "RS256"},
		{"an ID token signed by somebody else", func(t *testing.T, x *trial) {
			x.server.Odd = fixed("/jwks", 200, otherKeys)
			x.server.Start()
		}, fault.SignInAnswer, "signature"},
		{"no signing keys", func(t *testing.T, x *trial) {
			x.server.Odd = fixed("/jwks", 200, `{"keys":[]}`)
			x.server.Start()
		}, fault.SignInAnswer, "signing keys"},
		{"no ID token", func(t *testing.T, x *trial) {
			x.server.Odd = fixed("/token", 200, `{"access_token":"a"}`)
			x.server.Start()
		}, fault.SignInAnswer, "no ID token"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := &trial{server: oauthtest.New(t), ca: oauthtest.NewAuthority(t, "Inspection CA")}
			x.server.Config.ErrorLog = quiet
			tc.make(t, x)
			err := x.run(t)
			if code(err) != tc.want || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v\nwant %s with %q", err, tc.want, tc.says)
			}
		})
	}
}

// otherKeys are signing keys under the server's name, of somebody else.
const otherKeys = `{"keys":[{"kty":"EC","kid":"k1","crv":"P-256","alg":"ES256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`

// quiet takes what servers say of handshakes that fail on purpose.
var quiet = log.New(io.Discard, "", 0)

func (x *trial) start(t *testing.T, from, to int) {
	x.server.StartAs(x.ca.Issue(t, year(from), year(to), "127.0.0.1"))
}

func (x *trial) run(t *testing.T) error {
	way := browserWay(x.server)
	way.Status = "supported"
	if x.way != nil {
		x.way(&way)
	}
	getenv := func(name string) string {
		if name == "SSL_CERT_FILE" && x.trusted {
			return x.ca.File
		}
		return ""
	}
	c, err := oauth.NewClient(oauth.Options{UserAgent: "KorProxy/test", Getenv: getenv, Now: x.now})
	if err != nil {
		t.Fatal(err)
	}
	f := &Flow{Client: c, Provider: &proxy.Provider{ID: "corp", Name: "Corp"}, Way: &way, Getenv: getenv}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if x.device {
		_, err := f.Device(ctx, nil)
		return err
	}
	b := newBrowser(t)
	b.edit, b.roots = x.edit, x.ca.File
	_, err = f.Browser(ctx, b.open)
	return err
}

// A port that is taken does not stop a sign-in whose answer is pasted.
func TestPasteWithThePortTaken(t *testing.T) {
	server := oauthtest.Started(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	way := browserWay(server)
	way.RedirectPort = l.Addr().(*net.TCPAddr).Port
	f := flow(t, way)
	tok, err := f.Paste(t.Context(), func(context.Context) (string, error) {
		c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := c.Get(f.event("url").URL)
		if err != nil {
			return "", err
		}
		resp.Body.Close()
		return resp.Header.Get("Location"), nil
	})
	if err != nil || !server.Takes(tok.Access.Reveal()) || !strings.Contains(f.event("note").Text, "taken") {
		t.Errorf("got %v", err)
	}
}

// A device is polled more slowly when the server says so, and through errors of
// the network.
func TestDevicePollsOn(t *testing.T) {
	t.Parallel()
	server := oauthtest.New(t)
	var polls []time.Time
	server.Odd = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/token" {
			return false
		}
		polls = append(polls, time.Now())
		switch len(polls) {
		case 1:
			w.WriteHeader(502)
			_, _ = io.WriteString(w, "<html>")
		case 2:
			w.WriteHeader(429)
			_, _ = io.WriteString(w, `{"error":"slow_down"}`)
		default:
			_, _ = io.WriteString(w, `{"access_token":"a","token_type":"bearer"}`)
		}
		return true
	}
	server.Start()
	f := flow(t, proxy.Way{Kind: proxy.WayDevice, Issuer: server.URL, ClientID: server.ClientID})
	if _, err := f.Device(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if len(polls) != 3 || polls[2].Sub(polls[1]) < slower {
		t.Errorf("polled at %v", polls)
	}
}

func TestTheUserHasFiveMinutes(t *testing.T) {
	server := oauthtest.Started(t)
	f, b := flow(t, browserWay(server)), newBrowser(t)
	if _, err := f.Browser(t.Context(), b.open); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(f.event("url").Until); left > limit || left < limit-10*time.Second || limit != 5*time.Minute {
		t.Errorf("it gives up in %s", left)
	}
}
