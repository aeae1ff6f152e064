package main

import (
	"strings"
	"testing"

	"github.com/korproxy/korproxy/proxy/proxytest"
)

// twoProviders is a group "pair" of one provider that never begins its answer
// and one that is well, with more settings.
func twoProviders(t *testing.T, settings string) (d *running, silent, well *proxytest.Provider) {
	silent = proxytest.NewProvider(t, good(proxytest.OpenAIChat, false).Stall())
	well = proxytest.NewProvider(t, good(proxytest.OpenAIChat, false))
	d = startDaemon(t, settings+providerTOML("silent", "openai-chat", silent)+providerTOML("well", "openai-chat", well)+
		"[groups.pair]\nmembers = [\"silent/m\", \"well/m\"]\nstrategy = \"priority\"\n")
	return d, silent, well
}

func TestASlowCompletionIsHedged(t *testing.T) {
	d, silent, well := twoProviders(t, "[classes.completion]\nhedge_after = \"20ms\"\n")
	a := d.post("/v1/completions", `{"model":"pair","prompt":"func main() {","suffix":"}","max_tokens":20}`)
	if a.Status != 200 || a.Header.Get("X-Korproxy-Class") != "completion" || !strings.HasPrefix(a.Header.Get("X-Korproxy-Route"), "well/") {
		t.Errorf("got %d %v %s", a.Status, a.Header, a.Body)
	}
	if len(silent.Seen()) != 1 || len(well.Seen()) != 1 {
		t.Errorf("asked %d and %d times", len(silent.Seen()), len(well.Seen()))
	}
}

func TestAClassHasItsOwnPatience(t *testing.T) {
	d, silent, well := twoProviders(t, "[classes.chat]\nfirst_byte_timeout = \"100ms\"\n")
	path, body := ask(proxytest.OpenAIChat, "pair", false)
	a := d.post(path, body)
	if a.Status != 200 || a.Header.Get("X-Korproxy-Class") != "chat" || a.Header.Get("X-Korproxy-Route") != `well/auto/m; attempt=2; rule="group pair"` {
		t.Errorf("got %d %v %s", a.Status, a.Header, a.Body)
	}
	d.stop() // the log comes after the answer
	if len(silent.Seen()) != 1 || len(well.Seen()) != 1 || !strings.Contains(d.Log.String(), "msg=attempt") || !strings.Contains(d.Log.String(), "KP-UP-004") {
		t.Errorf("asked %d and %d times", len(silent.Seen()), len(well.Seen()))
	}
}
