package config

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var wayCatalogue = map[string]Provider{
	"plan":  {Dialect: anthropicMessages, BaseURL: "https://p.example", Connect: map[string]Way{"browser": {Status: "not permitted"}}},
	"azure": {Dialect: openAIResponses, Connect: map[string]Way{"device": {Status: "conditional", Policy: "bring a client", Scopes: []string{"s"}}}},
	"adc":   {Dialect: gemini, BaseURL: "https://g.example", Connect: map[string]Way{"adc": {Status: "supported", OwnUse: On, Scopes: []string{"s"}}, "service-account": {Status: "supported", Scopes: []string{"s"}}}},
}

func TestWays(t *testing.T) {
	const own = "[providers.gw]\ndialect = \"openai-chat\"\nbase_url = \"https://gw.example/v1\"\n[providers.gw.connect.browser]\n"
	for _, tc := range []struct{ name, text, code, message string }{
		{"a gateway of one's own", own + "issuer = \"https://login.example\"\nclient_id = \"c\"\n[[accounts]]\nprovider = \"gw\"\nconnect = \"browser\"\n", "", ""},
		{"addresses instead of an issuer", own + "authorize_url = \"https://login.example/a\"\ntoken_url = \"https://login.example/t\"\nclient_id = \"c\"\n", "", ""},
		{"loopback may be plain", own + "issuer = \"http://127.0.0.1:9\"\nclient_id = \"c\"\n", "", ""},
		{"no client", own + "issuer = \"https://login.example\"\n", codeRow, "lacks client_id"},
		{"no address", own + "client_id = \"c\"\n", codeRow, "lacks issuer"},
		{"half the addresses", own + "client_id = \"c\"\ntoken_url = \"https://login.example/t\"\n", codeRow, "lacks issuer, or authorize_url and token_url"},
		{"plain text", own + "issuer = \"http://login.example\"\nclient_id = \"c\"\n", codeURL, "without encryption"},
		{"port", own + "issuer = \"https://login.example\"\nclient_id = \"c\"\nredirect_port = 70000\n", codeValue, "must be a port"},
		{"path", own + "issuer = \"https://login.example\"\nclient_id = \"c\"\nredirect_path = \"x\"\n", codeValue, "begin with a slash"},
		{"unknown kind", strings.Replace(own, "browser", "brwoser", 1), codeValue, "not a way to connect"},
		{"device without its address", strings.Replace(own, "browser", "device", 1) + "client_id = \"c\"\ntoken_url = \"https://login.example/t\"\n", codeRow, "lacks issuer, or device_url"},
		{"client credentials without a secret", strings.Replace(own, "browser", "client-credentials", 1) + "client_id = \"c\"\ntoken_url = \"https://login.example/t\"\n", codeRow, "lacks client_secret_env"},
		{"a secret in the file", own + "issuer = \"https://login.example\"\nclient_id = \"c\"\nclient_secret_env = \"s3cr3t-value\"\n", codeSecret, ""},
		{"what a vendor does not permit stays so", "[providers.plan.connect.browser]\nstatus = \"supported\"\nissuer = \"https://x.example\"\nclient_id = \"c\"\n", codeValue, "does not permit"},
		{"what a vendor limits stays so", "[providers.adc.connect.adc]\nown_use = false\n", codeValue, "terms set this"},
		{"the user's client completes a row", "[providers.azure]\nbase_url = \"https://r.example/v1\"\n[providers.azure.connect.device]\nissuer = \"https://login.example/t/v2.0\"\nclient_id = \"c\"\n[[accounts]]\nprovider = \"azure\"\nconnect = \"device\"\n", "", ""},
		{"an account of a row that is not complete", "[[accounts]]\nprovider = \"azure\"\nconnect = \"device\"\n", codeRow, "needs client_id in [providers.azure.connect.device]"},
		{"a way the provider has not", "[[accounts]]\nprovider = \"azure\"\nconnect = \"adc\"\n", codeValue, "cannot be connected this way"},
		{"a service account without its file", "[[accounts]]\nprovider = \"adc\"\nconnect = \"service-account\"\n", codeRow, "credentials_file"},
		{"default credentials", "[[accounts]]\nprovider = \"adc\"\nconnect = \"adc\"\n", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := loadWays(t, tc.text)
			var problems Problems
			switch {
			case tc.code == "" && err != nil:
				t.Errorf("got %v", err)
			case tc.code == "":
			case !errors.As(err, &problems) || problems[0].Code != tc.code || !strings.Contains(err.Error(), tc.message) || problems[0].Line == 0:
				t.Errorf("got %v, want %s %s", err, tc.code, tc.message)
			}
		})
	}
}

func loadWays(t *testing.T, text string) error {
	t.Helper()
	file := filepath.Join(t.TempDir(), FileName)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(Options{File: file, Catalogue: wayCatalogue})
	return err
}

// TestTheExamplesOfTheGuide loads every TOML block of guides/providers.md.
func TestTheExamplesOfTheGuide(t *testing.T) {
	guide, err := os.ReadFile(filepath.Join("..", "..", "guides", "providers.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllStringSubmatch(string(guide), -1)
	if len(blocks) < 3 {
		t.Fatalf("the guide has %d examples", len(blocks))
	}
	wayCatalogue := map[string]Provider{}
	for _, id := range []string{"azure", "vertex", "openai"} {
		wayCatalogue[id] = Provider{
			Dialect: openAIResponses, BaseURL: "https://x.example/v1",
			Connect: map[string]Way{"device": {Status: "conditional", Scopes: []string{"s"}}, "client-credentials": {Status: "conditional"}, "adc": {Status: "supported", Scopes: []string{"s"}}, "service-account": {Status: "supported", Scopes: []string{"s"}}},
		}
	}
	for i, b := range blocks {
		file := filepath.Join(t.TempDir(), FileName)
		if err := os.WriteFile(file, []byte(b[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(Options{File: file, Catalogue: wayCatalogue}); err != nil {
			t.Errorf("example %d: %v\n%s", i, err, b[1])
		}
	}
}
