package proxytest

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

type file struct {
	name string
	data []byte
}

// readArchive reads every file of an archive in the repository's testdata folder, in its order.
func readArchive(name string) ([]file, error) {
	dir, err := testdata()
	if err != nil {
		return nil, err
	}
	in, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	defer in.Close()
	zip, err := gzip.NewReader(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var files []file
	tape := tar.NewReader(zip)
	for {
		head, err := tape.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		data := make([]byte, head.Size)
		if _, err := io.ReadFull(tape, data); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", name, head.Name, err)
		}
		files = append(files, file{head.Name, data})
	}
}

// testdata finds the folder beside go.mod: from this source file, or, when the build trimmed its
// path, upwards from the working folder, which is the tested package's own.
func testdata() (string, error) {
	_, source, _, _ := runtime.Caller(0)
	starts := []string{filepath.Dir(source)}
	if cwd, err := os.Getwd(); err == nil {
		starts = append(starts, cwd)
	}
	for _, dir := range starts {
		if !filepath.IsAbs(dir) {
			continue
		}
		for ; ; dir = filepath.Dir(dir) {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				return filepath.Join(dir, "testdata"), nil
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return "", errors.New("no go.mod above the source file or the working folder")
}
