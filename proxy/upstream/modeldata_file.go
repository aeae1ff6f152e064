package upstream

import (
	"io/fs"
	"log/slog"
	"os"
	"sync"

	"github.com/korproxy/korproxy/internal/atomicfile"
	"github.com/korproxy/korproxy/proxy"
)

// ModelFacts gives the model data in use: that of a file the user brought, else
// that of this build. Nothing is decoded until it is asked for.
type ModelFacts struct {
	file string
	log  *slog.Logger

	mu   sync.Mutex // guards what follows
	data *ModelData
	own  bool        // data is the file's
	seen fs.FileInfo // the file as it was read; nil when there was none
}

// NewModelFacts makes the data of a file; "" has only that of this build.
func NewModelFacts(file string, log *slog.Logger) *ModelFacts {
	return &ModelFacts{file: file, log: log}
}

// Data gives the data in use; own says that it is the user's. A file that has
// changed is read again, and one that is damaged counts as none.
func (f *ModelFacts) Data() (data *ModelData, own bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.file)
	if err != nil {
		info = nil
	}
	if f.data != nil && sameFile(f.seen, info) {
		return f.data, f.own
	}
	f.data, f.own, f.seen = nil, false, info
	if info != nil && info.Size() <= maxModelData {
		b, err := os.ReadFile(f.file)
		if err == nil {
			f.data, err = decodeModelData(b)
		}
		if err != nil {
			f.data = nil
			f.log.Warn("the model data is damaged; that of this build is used", "file", f.file, "error", err)
		}
		f.own = f.data != nil
	}
	if f.data == nil {
		d, err := embeddedModelData()
		if err != nil {
			panic(err) // a test decodes it
		}
		f.data = d
	}
	return f.data, f.own
}

func sameFile(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// Fill adds what the data knows of a model, see ModelData.Fill.
func (f *ModelFacts) Fill(m proxy.Model) proxy.Model {
	d, _ := f.Data()
	return d.Fill(m)
}

// Update replaces the file by data that was checked.
func (f *ModelFacts) Update(d *ModelData) error {
	b, err := d.Encode()
	if err != nil {
		return err
	}
	return atomicfile.Write(f.file, b, 0o600)
}

// Reset goes back to the data of this build.
func (f *ModelFacts) Reset() error {
	if err := os.Remove(f.file); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}
