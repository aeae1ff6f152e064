package signin

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/korproxy/korproxy/internal/atomicfile"
	"github.com/korproxy/korproxy/internal/fault"
)

var hostPattern = regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// HostID gives the random id of this installation that Sign in with ChatGPT
// asks for, urn:uuid and a UUID of version 4. It is made once and kept in file.
func HostID(file string) (string, error) {
	if b, err := os.ReadFile(file); err == nil && hostPattern.MatchString(strings.TrimSpace(string(b))) {
		return strings.TrimSpace(string(b)), nil
	}
	var u [16]byte
	_, _ = rand.Read(u[:]) // it never fails
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	id := fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return "", fault.New(fault.InternalError, "the id of this installation cannot be kept: %w", err)
	}
	if err := atomicfile.Write(file, []byte(id+"\n"), 0o600); err != nil {
		return "", fault.New(fault.InternalError, "the id of this installation cannot be kept: %w", err)
	}
	return id, nil
}
