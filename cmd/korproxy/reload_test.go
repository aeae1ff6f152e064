package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/korproxy/korproxy/internal/atomicfile"
	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/proxy/proxytest"
)

// eventually polls for what happens by itself soon.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	limit := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("in vain waited until %s", what)
		}
	}
}

// TestEditsUnderLoad: a thousand edits, some of them broken, while two hundred
// streams are open and others ask. No stream is cut, and no request sees half
// of an edit: the rule and the model it names are of the same one.
func TestEditsUnderLoad(t *testing.T) {
	const streams, edits = 200, 1000
	p := proxytest.NewProvider(t)
	p.OnFunc("/v1/chat/completions", func(s proxytest.Seen) proxytest.Reply {
		if strings.Contains(string(s.Body), `"stream":true`) {
			return good(proxytest.OpenAIChat, true).StallAt(behindFirstWord(proxytest.OpenAIChat))
		}
		return good(proxytest.OpenAIChat, false)
	})
	base := providerTOML("prov", "openai-chat", p)
	edit := func(i int) string {
		return fmt.Sprintf("%s[aliases]\nnow = \"prov/m%d\"\n[[rules]]\nname = \"edit %d\"\nmodel = [\"ruled\"]\ntarget = \"now\"\n", base, i, i)
	}
	d := startDaemon(t, edit(0))
	file := filepath.Join(d.home, config.FileName)

	open := make([]*http.Response, streams)
	var opening sync.WaitGroup
	for i := range open {
		opening.Go(func() {
			path, body := ask([]string{proxytest.OpenAIChat, proxytest.AnthropicMessages}[i%2], "prov/m", true)
			open[i] = d.open(t.Context(), http.MethodPost, path, []byte(body))
		})
	}
	opening.Wait()
	edited := make(chan struct{})
	var asking sync.WaitGroup
	seen := map[string]bool{}
	asking.Go(func() {
		ruled := regexp.MustCompile(`^prov/auto/m(\d+); attempt=1; rule="edit (\d+)"$`)
		for {
			select {
			case <-edited:
				return
			default:
			}
			path, body := ask(proxytest.OpenAIChat, "ruled", false)
			a, err := d.fetch(t.Context(), path, body)
			m := ruled.FindStringSubmatch(a.Header.Get("X-Korproxy-Route"))
			if err != nil || a.Status != 200 || m == nil || m[1] != m[2] {
				t.Errorf("got %v %d %q", err, a.Status, a.Header.Get("X-Korproxy-Route"))
				return
			}
			seen[m[1]] = true
		}
	})
	paths, err := d.app.paths()
	if err != nil {
		t.Fatal(err)
	}
	admin := newClient(paths)
	for i := 1; i <= edits; i++ {
		var err error
		if i%10 == 5 {
			err = os.WriteFile(file, []byte("this is not = = TOML"), 0o600)
		} else {
			err = putConfig(t, admin, edit(i))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the last edit was taken", func() bool {
		path, body := ask(proxytest.OpenAIChat, "now", false)
		return strings.HasPrefix(d.post(path, body).Header.Get("X-Korproxy-Route"), fmt.Sprintf("prov/auto/m%d;", edits))
	})
	close(edited)
	asking.Wait()
	if len(seen) < 20 {
		t.Errorf("only %d of the edits were seen at work", len(seen))
	}
	p.Release()
	for i, resp := range open {
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		dialect := []string{proxytest.OpenAIChat, proxytest.AnthropicMessages}[i%2]
		if sum, serr := proxytest.Summarize(dialect, b); err != nil || serr != nil || sum.Text != "Hello wörld again" || sum.Stop != proxytest.StopEnd {
			t.Errorf("stream %d: %v, %v, %+v\n%s", i, err, serr, sum, b)
		}
	}
}

// putConfig replaces the configuration by the management API, whatever it was.
func putConfig(t *testing.T, c *client, text string) error {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://korproxy/korproxy/v1/config", strings.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("If-Match", "*")
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s, %w: %s", resp.Status, err, b)
	}
	return nil
}

func TestABadEditKeepsTheLastGoodConfiguration(t *testing.T) {
	p := proxytest.NewProvider(t, good(proxytest.OpenAIChat, false))
	base := providerTOML("prov", "openai-chat", p)
	d := startDaemon(t, base)
	file := filepath.Join(d.home, config.FileName)
	paths, err := d.app.paths()
	if err != nil {
		t.Fatal(err)
	}
	edit := func(text string) {
		t.Helper()
		if err := atomicfile.Write(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	state := func() string {
		st, err := newClient(paths).status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		b.WriteString(st.State)
		for _, pr := range st.Problems {
			fmt.Fprintf(&b, " %s:%d %s %s", filepath.Base(pr.File), pr.Line, pr.Code, pr.Fix)
		}
		return b.String()
	}
	edit(base + "lisen = \"127.0.0.1:1\"\n")
	eventually(t, "the status shows the mistake", func() bool { return strings.HasPrefix(state(), "degraded") })
	if got := state(); !strings.Contains(got, config.FileName+":4 KP-CONFIG-003") {
		t.Errorf("the status is %s", got)
	}
	path, body := ask(proxytest.OpenAIChat, "prov/m", false)
	if a := d.post(path, body); a.Status != 200 {
		t.Errorf("got %d %s", a.Status, a.Body)
	}
	edit(base)
	eventually(t, "the mended file was taken", func() bool { return state() == "ready" })
}
