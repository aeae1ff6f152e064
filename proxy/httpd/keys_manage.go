package httpd

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
)

// KeyInfo is a local key as it is shown: enough to tell it from others.
type KeyInfo struct {
	Tool    string    `json:"tool"`
	Key     string    `json:"key" doc:"Its beginning and end."`
	Admin   bool      `json:"admin,omitempty"`
	Created time.Time `json:"created"`

	Workspace string `json:"workspace,omitempty"`
	Profile   string `json:"profile,omitempty"`
}

// RevokedKey is a key that was ended, with the others of its tool.
type RevokedKey struct {
	KeyInfo
	Also []KeyInfo `json:"also,omitempty" doc:"The tool's further keys, for other workspaces or profiles; they were ended too."`
}

// info masks a key: four of its 40 random characters at the beginning and four
// at the end leave 160 bits unknown.
func (key Key) info() KeyInfo {
	i := KeyInfo(key)
	if n := len(key.Key); n > 16 {
		i.Key = key.Key[:8] + "…" + key.Key[n-4:]
	} else {
		i.Key = "…"
	}
	return i
}

// List gives all keys by tool, masked.
func (k *Keys) List() ([]KeyInfo, error) {
	if err := k.read(); err != nil {
		return nil, err
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	list := make([]KeyInfo, 0, len(k.keys))
	for _, key := range k.keys {
		list = append(list, key.info())
	}
	slices.SortFunc(list, compareInfo)
	return list, nil
}

func compareInfo(a, b KeyInfo) int {
	return cmp.Or(strings.Compare(a.Tool, b.Tool), strings.Compare(a.Workspace, b.Workspace), strings.Compare(a.Profile, b.Profile), strings.Compare(a.Key, b.Key))
}

// Revoke ends the keys of a tool, or the admin key. From then on a request with
// one is refused; a tool that asks again gets another.
func (k *Keys) Revoke(tool string, admin bool) (RevokedKey, error) {
	if admin {
		tool = adminTool
	}
	unlock, err := k.lock()
	if err != nil {
		return RevokedKey{}, err
	}
	defer unlock()
	if err := k.read(); err != nil {
		return RevokedKey{}, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	var gone []KeyInfo
	list := make([]Key, 0, len(k.keys))
	for _, key := range k.keys {
		if key.Tool == tool && key.Admin == admin {
			gone = append(gone, key.info())
			continue
		}
		list = append(list, key)
	}
	if len(gone) == 0 {
		return RevokedKey{}, fault.New(fault.KeyUnknown, "there is no key of %q: 'korproxy keys list' shows those there are", tool)
	}
	slices.SortFunc(gone, compareInfo)
	return RevokedKey{gone[0], gone[1:]}, k.write(list)
}

// listKeys shows the keys, masked.
func (s *Server) listKeys(w http.ResponseWriter, _ *http.Request) {
	list, err := s.Keys.List()
	if err != nil {
		s.problem(w, err)
		return
	}
	s.object(w, list)
}

// revokeKey ends the key of a tool, or with ?admin=true the admin key.
func (s *Server) revokeKey(w http.ResponseWriter, r *http.Request) {
	gone, err := s.Keys.Revoke(r.URL.Query().Get("tool"), r.URL.Query().Get("admin") == "true")
	if err != nil {
		s.problem(w, err)
		return
	}
	s.object(w, gone)
}
