package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
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

func TestEditsDoNotTouchOpenStreams(t *testing.T) {
	const streams, edits = 20, 100
	p := proxytest.NewProvider(t, good(proxytest.OpenAIChat, true).StallAt(behindFirstWord(proxytest.OpenAIChat)))
	base := providerTOML("prov", "openai-chat", p)
	d := startDaemon(t, base)
	file := filepath.Join(d.home, config.FileName)

	open := make([]*http.Response, streams)
	var opening sync.WaitGroup
	for i := range open {
		opening.Go(func() {
			path, body := ask([]string{proxytest.OpenAIChat, proxytest.AnthropicMessages}[i%2], "prov/m", true)
			open[i] = d.open(t.Context(), http.MethodPost, path, []byte(body))
		})
	}
	for i := range edits {
		text := fmt.Sprintf("%s[providers.edit%d]\ndialect = \"openai-chat\"\nbase_url = %q\n", base, i, p.URL)
		if i%10 == 5 {
			text = "this is not = = TOML"
		}
		var err error
		if i%2 == 0 {
			err = os.WriteFile(file, []byte(text), 0o600)
		} else {
			err = atomicfile.Write(file, []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the last edit was taken", func() bool {
		a := d.do(http.MethodGet, "/v1/models/"+fmt.Sprintf("edit%d", edits-1)+"/m", nil)
		return a.Status == 200
	})
	opening.Wait()
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
