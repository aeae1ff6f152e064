package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/korproxy/korproxy/internal/fault"
)

// Problem is one mistake in the settings. Error gives "file:line:col: CODE:
// key: message"; the fix stands apart so that a UI can show it on its own line.
type Problem struct {
	Code    string `json:"code"`           // KP-CONFIG-NNN, see Codes
	Key     string `json:"key,omitempty"`  // as in the file: limits.body_bytes, accounts[0].name
	File    string `json:"file,omitempty"` // file, environment variable or flag the value came from
	Line    int    `json:"line,omitempty"` // from 1; 0 when there is no position
	Col     int    `json:"col,omitempty"`  // in bytes from 1
	Message string `json:"message"`        // what is wrong
	Fix     string `json:"fix,omitempty"`  // what is allowed, or what to do
}

// Error implements error.
func (p Problem) Error() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", p.Line, p.Col)
		}
		b.WriteString(": ")
	}
	b.WriteString(p.Code)
	b.WriteString(": ")
	if p.Key != "" {
		b.WriteString(p.Key)
		b.WriteString(": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// Fault gives the problem as a fault.
func (p Problem) Fault() *fault.Error {
	return &fault.Error{Code: fault.Code(p.Code), Message: p.Error(), Err: p}
}

// Problems is every mistake of a load, in the order of the files.
type Problems []Problem

// Error implements error, one problem and its fix per line.
func (ps Problems) Error() string {
	lines := make([]string, 0, len(ps))
	for _, p := range ps {
		line := p.Error()
		if p.Fix != "" {
			line += " (" + p.Fix + ")"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// Fault gives the first problem as a fault, for outlets that show one.
func (ps Problems) Fault() *fault.Error {
	if len(ps) == 0 {
		return nil
	}
	return &fault.Error{Code: fault.Code(ps[0].Code), Message: ps.Error(), Err: ps}
}

// Unwrap gives the problems as errors.
func (ps Problems) Unwrap() []error {
	errs := make([]error, len(ps))
	for i, p := range ps {
		errs[i] = p
	}
	return errs
}

func (ps Problems) sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
}

// The codes of this package; their rows stand in the registry of fault.
const (
	codeRead     = "KP-CONFIG-001"
	codeSyntax   = "KP-CONFIG-002"
	codeUnknown  = "KP-CONFIG-003"
	codeType     = "KP-CONFIG-004"
	codeValue    = "KP-CONFIG-005"
	codeListen   = "KP-CONFIG-006"
	codeRemote   = "KP-CONFIG-007"
	codeURL      = "KP-CONFIG-008"
	codeProvider = "KP-CONFIG-009"
	codeTwice    = "KP-CONFIG-010"
	codeRow      = "KP-CONFIG-011"
	codeScope    = "KP-CONFIG-012"
	codeSecret   = "KP-CONFIG-013"
	codeEdit     = "KP-CONFIG-014"
	codeAccount  = "KP-CONFIG-015"
	codePath     = "KP-CONFIG-016"
	codeName     = "KP-CONFIG-017"
	codeCircle   = "KP-CONFIG-018"
	codeIdle     = "KP-CONFIG-019"
)
