package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Trusted finds the .korproxy.toml that holds for a folder: the nearest one, in
// the folder or above it, within a folder the user trusts. Links are followed
// before anything is compared. A file that others than the user could have
// written is not one, and nor is any above it then.
func Trusted(c *Config, folder string) (workspaceFile string, ok bool) {
	if !filepath.IsAbs(folder) || len(c.TrustedFolders) == 0 {
		return "", false
	}
	dir, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return "", false
	}
	roots := make([]string, 0, len(c.TrustedFolders))
	for _, root := range c.TrustedFolders {
		if real, err := filepath.EvalSymlinks(ExpandHome(root)); err == nil {
			roots = append(roots, real)
		}
	}
	trusted := func(path string) bool {
		return slices.ContainsFunc(roots, func(root string) bool { return Below(root, path) })
	}
	for ; trusted(dir); dir = filepath.Dir(dir) {
		file := filepath.Join(dir, WorkspaceFileName)
		if _, err := os.Lstat(file); err == nil {
			real, err := filepath.EvalSymlinks(file)
			if err != nil || !trusted(real) || !safeFile(real) {
				return "", false
			}
			return file, true
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return "", false
}

// safeFile says whether nobody but the user could have written a file.
func safeFile(file string) bool {
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	dir, err := os.Stat(filepath.Dir(file))
	return err == nil && onlyOurs(info) && (onlyOurs(dir) || dir.Mode()&fs.ModeSticky != 0)
}

// Below says whether a path is a folder or lies in it. Both are absolute and
// without links.
func Below(folder, path string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && (rel == "." || filepath.IsLocal(rel))
}

// ExpandHome puts the home folder in the place of a leading ~.
func ExpandHome(path string) string {
	if path != "~" && !strings.HasPrefix(path, "~/") && !strings.HasPrefix(path, `~\`) {
		return path
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return path
	}
	return filepath.Join(home, path[1:])
}
