//go:build !windows

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/proxy/httpd"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

// process is a daemon in a process of its own.
type process struct {
	*exec.Cmd
	running
	ended chan error
}

func startProcess(t *testing.T, toml string) *process {
	t.Helper()
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, config.FileName), []byte(toml), 0o600); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), config.HomeEnv+"="+home, "KORPROXY_KEYRING=off")
	p := &process{Cmd: exec.CommandContext(t.Context(), "korproxy", "serve", "--json", "--listen", "127.0.0.1:0"), ended: make(chan error, 1)}
	p.Env = env
	p.Stderr = &logBuffer{}
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	var st httpd.Status
	if err := json.NewDecoder(out).Decode(&st); err != nil {
		t.Fatalf("the daemon did not start: %v\n%s", err, p.Stderr)
	}
	go func() { p.ended <- p.Wait() }()
	a := &app{environ: env, getenv: lookup(env)}
	paths, err := a.paths()
	if err != nil {
		t.Fatal(err)
	}
	key, err := a.localKey(t.Context(), paths, httpd.KeyWanted{Tool: "test"})
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	p.running = running{t: t, URL: st.Address, Key: key.Key, http: &http.Client{Transport: transport}}
	return p
}

// wait gives the exit status.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case err := <-p.ended:
		exit := new(exec.ExitError)
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return p.ProcessState.ExitCode()
	case <-time.After(patience):
		t.Fatalf("the daemon does not end\n%s", p.Stderr)
		return 0
	}
}

func TestTheFirstSignalDrainsAndTheSecondEnds(t *testing.T) {
	provider := proxytest.NewProvider(t, good(proxytest.OpenAIChat, true).StallAt(behindFirstWord(proxytest.OpenAIChat)))
	for _, second := range []bool{false, true} {
		d := startProcess(t, providerTOML("prov", "openai-chat", provider))
		path, body := ask(proxytest.OpenAIChat, "prov/m", true)
		resp := d.open(t.Context(), http.MethodPost, path, []byte(body))
		defer resp.Body.Close()
		var got bytes.Buffer
		readUntil(t, resp.Body, &got, "Hello")
		began := time.Now()
		if err := d.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		for a := d.do(http.MethodGet, "/readyz", nil); a.Status == 200; a = d.do(http.MethodGet, "/readyz", nil) {
		}
		if second {
			if err := d.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(&got, resp.Body); err != nil || !strings.Contains(got.String(), "KorProxy was stopped") {
				t.Errorf("a stream that was cut does not say so: %v\n%s", err, &got)
			}
		} else {
			provider.Release()
			if _, err := io.Copy(&got, resp.Body); err != nil || !strings.Contains(got.String(), "[DONE]") {
				t.Errorf("the stream was cut: %v\n%s", err, &got)
			}
		}
		if exit := d.wait(t); exit != 0 {
			t.Errorf("exit status %d\n%s", exit, d.Stderr)
		}
		if took := time.Since(began); took > patience/2 {
			t.Errorf("the daemon took %v to end", took)
		}
		provider = proxytest.NewProvider(t, good(proxytest.OpenAIChat, true).StallAt(behindFirstWord(proxytest.OpenAIChat)))
	}
}
