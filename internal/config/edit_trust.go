package config

import (
	"bytes"
	"path/filepath"
	"slices"
)

const trustedKey = "trusted_folders"

// Trust adds a folder to trusted_folders of the user's config file, which is
// made when it is missing. Every other byte stays. A folder that is there
// already is left as it is; other errors are as for AddAccount.
func Trust(file, folder string) error {
	folder, err := cleanFolder(folder)
	if err != nil {
		return err
	}
	return edit(file, func(text []byte) ([]byte, error) { return addTrust(text, folder) })
}

// Untrust takes a folder out of trusted_folders. One that is not there is a
// [Problem].
func Untrust(file, folder string) error {
	folder, err := cleanFolder(folder)
	if err != nil {
		return err
	}
	return edit(file, func(text []byte) ([]byte, error) { return removeTrust(text, folder) })
}

func cleanFolder(folder string) (string, error) {
	folder = ExpandHome(folder)
	if !filepath.IsAbs(folder) {
		return "", Problem{Code: codeValue, Key: trustedKey, Message: "not an absolute folder", Fix: "begin it with / or ~"}
	}
	return filepath.Clean(folder), nil
}

func sameFolder(written, folder string) bool {
	return filepath.Clean(ExpandHome(written)) == folder
}

func addTrust(text []byte, folder string) ([]byte, error) {
	before, err := verified(text)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(before.TrustedFolders, func(f string) bool { return sameFolder(f, folder) }) {
		return text, nil
	}
	want := before
	want.TrustedFolders = append(slices.Clone(before.TrustedFolders), folder)
	lay, eol := layoutOf(text), eolOf(text)
	at, insert := 0, quoteTOML(folder)
	switch start, written := lay.value[trustedKey]; {
	case !written:
		at = lay.top
		insert = trustedKey + " = [" + insert + "]" + eol
		if at > 0 && text[at-1] != '\n' && !bytes.Equal(text[:at], []byte("\ufeff")) {
			insert = eol + insert
		}
		if at < len(text) && !startsBlank(text[at:]) {
			insert += eol
		}
	case len(before.TrustedFolders) == 0:
		at = start + 1
	default:
		last := lay.value[indexPath(trustedKey, len(before.TrustedFolders)-1)]
		lay.pos = last
		lay.scanString()
		at = lay.pos
		line := bytes.LastIndexByte(text[:last], '\n') + 1
		if indent := text[line:last]; line > start && len(bytes.TrimLeft(indent, " \t")) == 0 {
			insert = "," + eol + string(indent) + insert
		} else {
			insert = ", " + insert
		}
	}
	out := slices.Concat(text[:at], []byte(insert), text[at:])
	return out, same(out, want)
}

func removeTrust(text []byte, folder string) ([]byte, error) {
	before, err := verified(text)
	if err != nil {
		return nil, err
	}
	out, want := text, before
	want.TrustedFolders = slices.Clone(before.TrustedFolders)
	for i, f := range slices.Backward(before.TrustedFolders) {
		if sameFolder(f, folder) {
			want.TrustedFolders = slices.Delete(want.TrustedFolders, i, i+1)
			out = cutElement(out, trustedKey, i)
		}
	}
	if len(want.TrustedFolders) == len(before.TrustedFolders) {
		return nil, Problem{Code: codeValue, Key: trustedKey, Message: "the folder is not among the trusted ones", Fix: "list them with 'korproxy workspace list'"}
	}
	return out, same(out, want)
}

// cutElement takes one word out of a list, with its comma, and with its line
// where nothing else stands on it.
func cutElement(text []byte, key string, i int) []byte {
	lay := layoutOf(text)
	start, ok := lay.value[indexPath(key, i)]
	if !ok {
		return text
	}
	lay.pos = start
	lay.scanString()
	end := lay.pos
	lay.skip(true)
	if comma := lay.pos; comma < len(text) && text[comma] == ',' {
		text = slices.Concat(text[:comma], text[comma+1:])
		if len(bytes.Trim(text[end:comma], " \t")) == 0 {
			end = comma
		}
	} else if prev := bytes.TrimRight(text[:start], " \t\r\n"); i > 0 && bytes.HasSuffix(prev, []byte(",")) && !commented(text, len(prev)-1) {
		start = len(prev) - 1
	}
	line := bytes.LastIndexByte(text[:start], '\n') + 1
	switch rest := text[end:]; {
	case len(bytes.Trim(text[line:start], " \t")) == 0 && startsBlank(bytes.TrimLeft(rest, " \t")):
		// The line is empty now.
		start, end = line, end+bytes.IndexByte(rest, '\n')+1
	case len(rest) > 0 && rest[0] == ' ' && i == 0:
		end += len(rest) - len(bytes.TrimLeft(rest, " "))
	case start > 0 && text[start-1] == ' ' && len(rest) > 0 && (rest[0] == ' ' || rest[0] == ']'):
		start--
	}
	return slices.Concat(text[:start], text[end:])
}

// commented says whether a byte of a list stands behind a # of its line. Words
// with a # in them are taken for comments too, which costs nothing but a comma.
func commented(text []byte, at int) bool {
	line := bytes.LastIndexByte(text[:at], '\n') + 1
	return bytes.IndexByte(text[line:at], '#') >= 0
}
