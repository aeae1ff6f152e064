// Command pack writes a folder as a reproducible tar.gz: names sorted, no times, no owners,
// so that the same folder always gives the same bytes.
//
//	go run ./testdata/pack FOLDER ARCHIVE.tar.gz
package main

import (
	"archive/tar"
	"compress/gzip"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	if len(os.Args) != 3 || !strings.HasSuffix(os.Args[2], ".tar.gz") {
		fmt.Fprintln(os.Stderr, "usage: go run ./testdata/pack FOLDER ARCHIVE.tar.gz")
		os.Exit(2)
	}
	if err := pack(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

// pack keeps names relative to folder. fs.WalkDir visits in lexical order, which is the sorting.
func pack(folder, archive string) (err error) {
	out, err := os.Create(archive)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := out.Close(); err == nil {
			err = cerr
		}
	}()
	zip, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		return err
	}
	tape := tar.NewWriter(zip)
	root := os.DirFS(folder)
	err = fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if !entry.Type().IsRegular() {
			return fmt.Errorf("%s is not a regular file", filepath.Join(folder, name))
		}
		data, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		head := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), Format: tar.FormatUSTAR}
		if err := tape.WriteHeader(head); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		_, err = tape.Write(data)
		return err
	})
	if err != nil {
		return err
	}
	if err := tape.Close(); err != nil {
		return err
	}
	return zip.Close()
}
