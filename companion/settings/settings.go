// Package settings is what editors show in KorProxy's own files: korproxy.toml,
// and the .korproxy.toml of a workspace. It judges a text as the daemon would
// read it, saved or not, and says of each key and name what the daemon knows.
package settings

import (
	"context"
	"strings"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/companion/lsp"
	"github.com/korproxy/korproxy/internal/config"
)

// Options is what a language needs to judge a text as the daemon does.
type Options struct {
	Load    config.Options                    // how the daemon reads its configuration
	Current func() *config.Loaded             // the one in use; nil is none
	Read    func(file string) ([]byte, error) // a file as it is saved
	// Target is where one of the built-in names leads, "" unknown.
	Target func(ctx context.Context, name string) string
}

// New gives the language of KorProxy's settings.
func New(o Options) companion.Language { return &language{o} }

type language struct{ Options }

// Owns implements companion.Language.
func (l *language) Owns(uri string) bool {
	if name := nameOf(uri); name == config.FileName || name == config.WorkspaceFileName {
		return true
	}
	file, ok := lsp.FilePath(uri)
	return ok && lsp.SamePath(file, l.Load.File)
}

// nameOf is the last part of a URI.
func nameOf(uri string) string { return uri[strings.LastIndexAny(uri, `/\:`)+1:] }

// Find implements companion.Language. A key that is not there is at the nearest
// of its parents.
func (l *language) Find(doc *lsp.Text, key string) (companion.Span, bool) {
	o := config.OutlineOf([]byte(doc.Content))
	n := o.Nearest(key)
	if n == nil {
		return companion.Span{}, false
	}
	return companion.Span(n.Key), true
}

// page is one document while one question about it is answered.
type page struct {
	*language
	text      string
	file      string // its path, or its name when it has none
	workspace bool   // a workspace's file, else the user's
	out       *config.Outline
	view      *companion.View
	user      *config.Outline // the user's file as it is saved; see userFile
	cfg       *config.Config  // see config
}

func (l *language) page(doc *lsp.Text, v *companion.View) *page {
	if v == nil {
		v = &companion.View{}
	}
	file, ok := lsp.FilePath(doc.URI)
	if !ok {
		file = nameOf(doc.URI)
	}
	return &page{
		language: l, text: doc.Content, file: file, view: v, out: config.OutlineOf([]byte(doc.Content)),
		workspace: nameOf(doc.URI) == config.WorkspaceFileName && !lsp.SamePath(file, l.Load.File),
	}
}

// load reads the text as the daemon would.
func (p *page) load() (*config.Loaded, error) {
	o := p.Load
	o.Texts = map[string][]byte{p.file: []byte(p.text)}
	for file, text := range p.Load.Texts {
		if !lsp.SamePath(file, p.file) {
			o.Texts[file] = text
		}
	}
	if p.workspace {
		o.Workspace = p.file
	} else {
		o.File = p.file
	}
	return config.Load(o)
}

// loaded is the text as the daemon would have it; while that has mistakes, what
// the daemon has, and nil without it.
func (p *page) loaded() *config.Loaded {
	if l, err := p.load(); err == nil {
		return l
	}
	if p.Current != nil {
		return p.Current()
	}
	return nil
}

// config is that of loaded, never nil.
func (p *page) config() *config.Config {
	if p.cfg == nil {
		p.cfg = &config.Config{}
		if l := p.loaded(); l != nil {
			p.cfg = &l.Config
		}
	}
	return p.cfg
}

// source is the text of some bytes.
func (p *page) source(s config.Span) string { return p.text[s.Start:s.End] }

// word is the value of a node as it is meant: a string without its quotes.
func (p *page) word(n *config.Node) string { return config.Unquote(p.source(n.Value)) }

// value is the word of a key of the text, "" when it has none.
func (p *page) value(path string) string {
	if n := p.out.Find(path); n != nil && n.Equals > 0 {
		return p.word(n)
	}
	return ""
}

// userFile is the user's file as it is saved.
func (p *page) userFile() *config.Outline {
	if !p.workspace {
		return p.out
	}
	if p.user == nil {
		var text []byte
		if p.Read != nil {
			text, _ = p.Read(p.Load.File) // one that cannot be read says nothing
		}
		p.user = config.OutlineOf(text)
	}
	return p.user
}
