package korproxy

import (
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/korproxy/korproxy/"

// mayImport is who may import whom inside this module. A package that is not
// in the table may not exist; internal/jsondoc and internal/atomicfile are
// leaves every package may use.
var mayImport = map[string][]string{
	"cmd/korproxy":              {"*"},
	"bench":                     {"*"},
	"testdata/pack":             {},
	"test/clients/fakeprovider": {},
	"test":                      {"*"},
	"test/modeldata":            {"proxy/upstream"},
	"companion":                 {"companion/lsp", "proxy", "internal/fault", "internal/health"},
	"companion/companiontest":   {"companion/lsp"},
	"companion/lsp":             {},
	"companion/settings":        {"companion", "companion/lsp", "proxy", "internal/config", "internal/fault", "internal/health"},
	"proxy":                     {"internal/fault"},
	"proxy/account":             {"proxy", "internal/fault", "internal/oauth", "internal/secret"},
	"proxy/account/signin":      {"proxy", "proxy/account", "internal/fault", "internal/oauth", "internal/secret"},
	"proxy/dialect":             {"proxy", "internal/fault"},
	"proxy/httpd":               {"proxy", "proxy/dialect", "internal/fault", "internal/secret"},
	"proxy/route":               {"proxy", "internal/config", "internal/fault"},
	"proxy/upstream":            {"proxy", "proxy/dialect", "internal/config", "internal/fault", "internal/secret"},
	"proxy/usage":               {"proxy", "internal/fault", "internal/store"},
	"proxy/proxytest":           {},
	"internal/atomicfile":       {},
	"internal/config":           {"internal/fault"},
	"internal/fault":            {},
	"internal/health":           {"internal/fault"},
	"internal/jsondoc":          {},
	"internal/oauth":            {"internal/fault", "internal/secret"},
	"internal/oauth/oauthtest":  {},
	"internal/secret":           {"internal/fault"},
	"internal/store":            {},
}

var leaves = []string{"internal/jsondoc", "internal/atomicfile"}

type listed struct {
	ImportPath, Dir string
	Imports         []string
	GoFiles         []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func TestImportsFollowTheTable(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		if len(p.GoFiles) == 0 {
			continue
		}
		allowed, known := mayImport[name]
		if !known {
			t.Errorf("%s is not in the table: add it, and say in guides/architecture.md what it is for", name)
			continue
		}
		if slices.Contains(allowed, "*") {
			continue
		}
		for _, imp := range p.Imports {
			other, ours := strings.CutPrefix(imp, module)
			if ours && !slices.Contains(allowed, other) && !slices.Contains(leaves, other) {
				t.Errorf("%s may not import %s", name, other)
			}
		}
	}
}

func TestEveryPackageHasAComment(t *testing.T) {
	for _, p := range packages(t) {
		has := len(p.GoFiles) == 0
		for _, f := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, f), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			has = has || file.Doc != nil
		}
		if !has {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}
