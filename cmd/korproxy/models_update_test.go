package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
)

func TestDownload(t *testing.T) {
	mux := http.NewServeMux()
	var agent string
	mux.HandleFunc("/api.json", func(w http.ResponseWriter, r *http.Request) {
		agent = r.UserAgent()
		_, _ = io.WriteString(w, `{"openai":{"models":{"m":{}}}}`)
	})
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/api.json", http.StatusFound) })
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://models.example.com/api.json", http.StatusFound)
	})
	mux.HandleFunc("/endless", func(w http.ResponseWriter, _ *http.Request) {
		chunk := bytes.Repeat([]byte(" "), 1<<20)
		for range maxDownload>>20 + 2 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "{")
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	for _, tc := range []struct {
		name, path string
		code       fault.Code
		message    string
	}{
		{"the data", "/api.json", "", ""},
		{"moved", "/moved", "", ""},
		{"moved to where there is no https", "/away", fault.UpstreamNetwork, "without https"},
		{"not there", "/none", fault.ModelDataRefused, "404"},
		{"without end", "/endless", fault.ModelDataRefused, "more than 32 MB"},
		{"cut off", "/cut", fault.UpstreamNetwork, "broke off"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			u, err := url.Parse(server.URL + tc.path)
			if err != nil {
				t.Fatal(err)
			}
			b, err := download(t.Context(), u)
			if tc.code == "" {
				if err != nil || !bytes.Contains(b, []byte("openai")) || !strings.HasPrefix(agent, "KorProxy/") {
					t.Errorf("got %q, %v, asked as %q", b, err, agent)
				}
				return
			}
			if f := new(fault.Error); !errors.As(err, &f) || f.Code != tc.code || !strings.Contains(f.Text(), tc.message) {
				t.Errorf("got %v, want %s %s", err, tc.code, tc.message)
			}
		})
	}
	for _, raw := range []string{"http://models.dev/api.json", "http://10.0.0.1/x"} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := download(t.Context(), u); fault.As(err).Code != fault.ModelDataRefused {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

// TestThePasswordOfAnAddressIsNotKept: the address is written down as the
// source of the data, and shown.
func TestThePasswordOfAnAddressIsNotKept(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != "marmalade" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, `{"openai":{"models":{"m":{}}}}`)
	}))
	defer server.Close()
	home := t.TempDir()
	t.Setenv(config.HomeEnv, home)
	var out, errOut bytes.Buffer
	address := strings.Replace(server.URL, "//", "//me:marmalade@", 1) + "/api.json"
	if code := Main([]string{"--json", "models", "update", address}, strings.NewReader(""), &out, &errOut); code != 0 {
		t.Fatalf("%d: %s", code, &errOut)
	}
	kept, err := os.ReadFile(filepath.Join(home, "model-data.json"))
	if err != nil || !bytes.Contains(kept, []byte(server.URL+"/api.json")) {
		t.Fatalf("kept: %s, %v", kept, err)
	}
	if strings.Contains(string(kept)+out.String()+errOut.String(), "marmalade") {
		t.Errorf("the password is in %s or %s", kept, &out)
	}
}
