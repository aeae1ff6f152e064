package main

import (
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/korproxy/korproxy/internal/oauth/oauthtest"
)

const farIssuer = "https://sign-in.example.test"

// A proxy between this machine and the sign-in server is used, and one that
// opens TLS is named, until the user trusts it.
func TestLoginBehindACompanyProxy(t *testing.T) {
	server := oauthtest.New(t)
	server.Base = farIssuer
	server.Start()
	proxy := oauthtest.Intercept(t, "Acme Inspection CA", server)
	var wg sync.WaitGroup
	defer wg.Wait()
	// The browser's way to the server is another one.
	browser := func(e map[string]any) {
		address, _ := e["url"].(string)
		if e["event"] != "url" {
			return
		}
		u, err := url.Parse(strings.Replace(address, farIssuer, server.URL, 1))
		if err != nil {
			t.Error(err)
			return
		}
		wg.Go(func() {
			c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			if resp, err := c.Get(u.String()); err == nil {
				resp.Body.Close()
			}
		})
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	empty := t.TempDir() + "/empty.pem"
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, proxy, roots string
		code, says         string
	}{
		{"an authority nobody knows", proxy.URL, "", "KP-LOGIN-006", "Acme Inspection CA"},
		{"a file without a certificate", proxy.URL, empty, "KP-LOGIN-006", "holds no certificate"},
		{"a proxy that is not there", "http://" + closed.Addr().String(), "", "KP-LOGIN-008", "the proxy"},
		{"an authority that is trusted", proxy.URL, proxy.Authority.File, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := startDaemon(t, corpTOML("http://127.0.0.1:9", farIssuer), "HTTPS_PROXY="+tc.proxy, "SSL_CERT_FILE="+tc.roots)
			events, out, err := d.signIn(t, browser, "corp", "--browser")
			last := events[len(events)-1]
			code, _ := last["code"].(string)
			text, _ := last["text"].(string)
			if code != tc.code || (err == nil) != (tc.code == "") || !strings.Contains(text, tc.says) {
				t.Errorf("got %v\n%s", last, out)
			}
		})
	}
	if n := proxy.Passed.Load(); n != 3 { // metadata, token, signing keys
		t.Errorf("%d requests came through the proxy", n)
	}
}
