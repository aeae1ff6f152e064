package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/korproxy/korproxy/internal/atomicfile"
	"github.com/korproxy/korproxy/internal/config"
)

// badStarts is how often in a row the daemon may fail to start on a broken
// configuration before it starts on the last good one, in safe mode: an editor
// that starts it by itself has nobody who reads why it did not.
const badStarts = 3

// lastGood is the copy of the last configuration that was taken, and the count
// of starts since that failed.
type lastGood struct{ file, count string }

func lastGoodOf(p config.Paths) lastGood {
	return lastGood{filepath.Join(p.StateDir, "last-good.toml"), filepath.Join(p.StateDir, "failed-starts")}
}

// keep remembers the configuration in file as good. A copy that cannot be
// written is only missed on a bad day.
func (g lastGood) keep(file string) error {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		text, err = nil, nil
	}
	if err != nil {
		return err
	}
	if before, err := os.ReadFile(g.file); err == nil && bytes.Equal(before, text) {
		return g.forget()
	}
	return errors.Join(atomicfile.Write(g.file, text, 0o600), g.forget())
}

func (g lastGood) forget() error {
	if err := os.Remove(g.count); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// failed counts a start that failed, and says how many did in a row.
func (g lastGood) failed() int {
	text, err := os.ReadFile(g.count)
	if err != nil {
		text = nil
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	n++
	if atomicfile.Write(g.count, []byte(strconv.Itoa(n)+"\n"), 0o600) != nil {
		return 1 // without the count the error is shown each time
	}
	return n
}

// loadConfig reads the configuration for a start. distress is why the last good
// one was taken instead, with the error to show; "" is the usual. A daemon that an
// editor starts (auto) starts on anything: the editor is where the mistake is shown.
func loadConfig(p config.Paths, o config.Options, auto bool) (loaded *config.Loaded, distress string, broken error) {
	good := lastGoodOf(p)
	loaded, err := config.Load(o)
	if err == nil {
		_ = good.forget() // a count that stays does no harm before the next failure
		return loaded, "", nil
	}
	n := good.failed()
	if n < badStarts && !auto {
		return nil, "", err
	}
	last := o
	last.File, last.Required = good.file, true
	if loaded, lerr := config.Load(last); lerr == nil {
		if n == 1 {
			return loaded, "the configuration is broken, so the last good one is used", err
		}
		return loaded, fmt.Sprintf("the configuration was broken at %d starts in a row, so the last good one is used", n), err
	}
	if auto {
		last.File, last.Required = "", false
		if loaded, lerr := config.Load(last); lerr == nil {
			return loaded, "the configuration is broken, and no good one is known: all is at its default", err
		}
	}
	return nil, "", err
}
