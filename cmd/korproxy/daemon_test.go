package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/proxy/httpd"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

// TestMain lets tests and scripts run this very binary as korproxy.
func TestMain(m *testing.M) {
	testscript.Main(leakless{m}, map[string]func(){
		"korproxy": main,
		// The same of another version.
		"korproxy-old": func() { version = "0.0.1"; main() },
		"korproxy-new": func() { version = "99.0.0"; main() },
	})
}

// leakless fails a run that leaves goroutines behind.
type leakless struct{ m *testing.M }

func (l leakless) Run() int {
	code := l.m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "goroutines are left behind:", err)
		return 1
	}
	return code
}

// running is a whole daemon in this process: its own home, a free port, the
// real socket.
type running struct {
	t    *testing.T
	app  *app
	home string
	URL  string
	Key  string
	Log  *logBuffer
	http *http.Client
	stop func()
	err  error
}

// logBuffer is what the daemon printed.
type logBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startDaemon runs a daemon with the given korproxy.toml until the test ends.
// env are further variables, "NAME=value".
func startDaemon(t *testing.T, toml string, env ...string) *running {
	t.Helper()
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, config.FileName), []byte(toml), 0o600); err != nil {
		t.Fatal(err)
	}
	env = append(env, config.HomeEnv+"="+home, "KORPROXY_KEYRING=off")
	d := &running{t: t, home: home, Log: &logBuffer{}}
	d.app = &app{in: strings.NewReader(""), out: &logBuffer{}, err: d.Log, environ: env, getenv: lookup(env), json: true, ran: true}
	d.resume(t)
	return d
}

// resume runs the daemon in its home, for the first time or again.
func (d *running) resume(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.err = d.app.serve(ctx, map[string]string{"listen": "127.0.0.1:0"}, false)
	}()
	transport := &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}
	d.http = &http.Client{Transport: transport}
	var once sync.Once
	d.stop = func() {
		once.Do(func() {
			cancel()
			<-ended
			transport.CloseIdleConnections()
		})
	}
	t.Cleanup(func() {
		d.stop()
		if d.err != nil {
			t.Errorf("the daemon ended with %v", d.err)
		}
		if t.Failed() {
			t.Logf("log of the daemon:\n%s", d.Log)
		}
	})
	p, err := d.app.paths()
	if err != nil {
		t.Fatal(err)
	}
	var st httpd.Status
	for {
		st, err = newClient(p).status(t.Context())
		if err == nil && st.Address != "" {
			break
		}
		select {
		case <-ended:
			t.Fatalf("the daemon did not start: %v\n%s", d.err, d.Log)
		default:
		}
	}
	d.URL = st.Address
	key, err := d.app.localKey(t.Context(), p, httpd.KeyWanted{Tool: "test"})
	if err != nil {
		t.Fatal(err)
	}
	d.Key = key.Key
}

func lookup(env []string) func(string) string {
	return func(name string) string {
		for _, e := range env {
			if v, ok := strings.CutPrefix(e, name+"="); ok {
				return v
			}
		}
		return ""
	}
}

// answer is a whole reply of the daemon.
type answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// JSON reads the body.
func (a answer) JSON(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(a.Body, &v); err != nil {
		t.Fatalf("the body is not a JSON object: %v\n%s", err, a.Body)
	}
	return v
}

// do makes a request with the test's local key, unless header sets another
// credential or "-" to send none.
func (d *running) do(method, path string, body []byte, header ...string) answer {
	d.t.Helper()
	resp := d.open(d.t.Context(), method, path, body, header...)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatalf("%s %s: reading the answer: %v", method, path, err)
	}
	return answer{resp.StatusCode, resp.Header, b}
}

// post is do with POST.
func (d *running) post(path, body string, header ...string) answer {
	d.t.Helper()
	return d.do(http.MethodPost, path, []byte(body), header...)
}

// open makes a request and leaves its body to be read.
func (d *running) open(ctx context.Context, method, path string, body []byte, header ...string) *http.Response {
	d.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, d.URL+path, bytes.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+d.Key)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		switch {
		case header[i] == "Host":
			req.Host = header[i+1]
		case header[i+1] == "-":
			req.Header.Del(header[i])
		default:
			req.Header.Set(header[i], header[i+1])
		}
	}
	resp, err := d.http.Do(req)
	if err != nil {
		d.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp
}

// providerTOML is a [providers.NAME] table for a test's provider.
func providerTOML(name, dialect string, p *proxytest.Provider) string {
	return "[providers." + name + "]\ndialect = \"" + dialect + "\"\nbase_url = \"" + p.URL + "\"\n"
}
