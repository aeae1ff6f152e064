package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// FileName is the name of the user's config, WorkspaceFileName that of a
// workspace's.
const (
	FileName          = "korproxy.toml"
	WorkspaceFileName = ".korproxy.toml"
)

// maxFileBytes bounds what is read, so that a wrong path (a log, a device)
// cannot take the memory.
const maxFileBytes = 4 << 20

// Options says what to load.
type Options struct {
	File      string              // the user's file; a missing one is an empty one
	Required  bool                // File was named by the user, so a missing one is a mistake
	Workspace string              // the .korproxy.toml of a trusted workspace, or ""
	Env       []string            // as os.Environ; KORPROXY_LOG_LEVEL sets log.level
	Flags     map[string]string   // key → value as typed
	Catalogue map[string]Provider // the built-in rows; nil skips the checks that need them
	Texts     map[string][]byte   // by name of a file: a text that is read in its place
}

// Loaded is a config together with where each value came from. It is
// immutable: callers must not write to its maps and lists.
type Loaded struct {
	Config    Config
	Files     []string // files that were found and read
	Warnings  Problems // valid, but without the effect it seems to have
	origins   map[string][]Origin
	catalogue map[string]Provider
}

type loader struct {
	opts     Options
	cfg      Config
	files    []string
	origins  map[string][]Origin
	problems Problems
	warnings Problems
}

// Load reads every layer and verifies the whole. On any mistake it returns no
// config and [Problems] with all of them.
func Load(opts Options) (*Loaded, error) {
	l := &loader{opts: opts, cfg: Default(), origins: map[string][]Origin{}}
	l.file(LayerUser, opts.File, opts.Required)
	l.file(LayerWorkspace, opts.Workspace, false)
	l.environment()
	l.flags()
	l.validate()
	if len(l.problems) > 0 {
		l.problems.sort()
		return nil, l.problems
	}
	l.warn()
	l.warnings.sort()
	return &Loaded{Config: l.cfg, Files: l.files, Warnings: l.warnings, origins: l.origins, catalogue: opts.Catalogue}, nil
}

// DecodeCatalogue reads the [providers.NAME] tables of a catalogue, checked as
// those of a config file are; other tables are the caller's own. The error is
// [Problems].
func DecodeCatalogue(name string, text []byte) (map[string]Provider, error) {
	l := &loader{origins: map[string][]Origin{}}
	tree, problem := parse(name, text)
	if problem != nil {
		return nil, Problems{*problem}
	}
	r := l.reader(LayerCatalogue, name)
	r.lay = layoutOf(text)
	if rows, ok := tree["providers"]; ok {
		r.value(schema().child("providers"), rows, reflectValue(&l.cfg).FieldByName("Providers"), "providers")
	}
	l.validateProviders()
	if len(l.problems) > 0 {
		l.problems.sort()
		return nil, l.problems
	}
	return l.cfg.Providers, nil
}

func (l *loader) reader(layer Layer, source string) *reader {
	return &reader{layer: layer, source: source, problems: &l.problems, origins: l.origins}
}

func (l *loader) file(layer Layer, name string, required bool) {
	if name == "" {
		return
	}
	text, given := l.opts.Texts[name]
	var err error
	if !given {
		text, err = readFile(name)
	}
	if errors.Is(err, fs.ErrNotExist) && !required {
		return
	}
	if err != nil {
		l.problems = append(l.problems, Problem{
			Code: codeRead, File: name, Message: cause(err).Error(), Fix: "check the path and its permissions",
		})
		return
	}
	l.files = append(l.files, name)
	l.reader(layer, name).text(text, reflectValue(&l.cfg))
}

func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	if info.Size() > maxFileBytes {
		return nil, fmt.Errorf("larger than %d MB", maxFileBytes>>20)
	}
	return os.ReadFile(filepath.Clean(name))
}

// cause takes the path off an error whose message already stands beside it.
func cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

func (l *loader) environment() {
	env := map[string]string{}
	for _, kv := range l.opts.Env {
		if name, value, ok := strings.Cut(kv, "="); ok && value != "" {
			env[name] = value
		}
	}
	for _, path := range scalarPaths(schema(), "") {
		if text, ok := env[EnvName(path)]; ok {
			l.text(LayerEnv, EnvName(path), path, text)
		}
	}
}

func (l *loader) flags() {
	known := scalarPaths(schema(), "")
	for _, path := range sortedNames(l.opts.Flags) {
		if !slices.Contains(known, path) {
			l.reader(LayerFlag, "--"+path).report(codeUnknown, path, "unknown key", "known: "+strings.Join(known, ", "))
			continue
		}
		l.text(LayerFlag, "--"+path, path, l.opts.Flags[path])
	}
}

// text sets one scalar key from an environment variable or a flag.
func (l *loader) text(layer Layer, source, path, text string) {
	f, dst := schema(), reflectValue(&l.cfg)
	for _, part := range splitPath(path) {
		f = f.child(part.key)
		dst = dst.FieldByIndex(f.index)
	}
	r := l.reader(layer, source)
	scratch := reflect.New(dst.Type()).Elem()
	if err := setText(f, scratch, text); err != nil {
		r.report(codeType, path, err.Error(), "")
		return
	}
	if code, msg, fix := check(f, scratch); code != "" {
		r.report(code, path, msg, fix)
		return
	}
	dst.Set(scratch)
	r.origin(path)
}

// EnvName is the environment variable that sets a key: KORPROXY_LOG_LEVEL for
// log.level.
func EnvName(key string) string {
	return "KORPROXY_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// scalarPaths lists the keys that variables and flags can set.
func scalarPaths(f *field, path string) []string {
	var out []string
	for _, c := range f.fields {
		switch p := joinPath(path, c.name); {
		case c.kind == kindTable:
			out = append(out, scalarPaths(c, p)...)
		case c.scalar():
			out = append(out, p)
		}
	}
	return out
}

// report adds a problem.
func (l *loader) report(code, path, message, fix string) {
	l.problems = append(l.problems, l.problem(code, path, message, fix))
}

// problem is one at the place that set the key, or its nearest parent.
func (l *loader) problem(code, path, message, fix string) Problem {
	p := Problem{Code: code, Key: path, File: l.opts.File, Message: message, Fix: fix}
	for at := path; at != ""; at = parentPath(at) {
		if os := l.origins[at]; len(os) > 0 {
			o := os[len(os)-1]
			p.File, p.Line, p.Col = o.Source, o.Line, o.Col
			break
		}
	}
	return p
}

func (l *loader) reported(path string) bool {
	return slices.ContainsFunc(l.problems, func(p Problem) bool { return p.Key == path })
}

func sortedNames(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
