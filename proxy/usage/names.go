package usage

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"
)

// kind is what a name names. The numbers are in files: none is used anew.
type kind int64

const (
	kindTool kind = iota + 1
	kindProject
	kindProfile
	kindClass
	kindRule
	kindDialect
	kindOp
	kindProvider
	kindAccount
	kindModel
	kindOutcome
	kindCode
)

// The names that stand for what is not kept.
const (
	notName = "(not a name)" // it has the look of a text
	others  = "(others)"     // there are too many already
)

const (
	maxName = 128 // bytes
	// maxNames bounds the names of one kind: a caller may ask for any model.
	maxNames = 5_000
)

// clean keeps a name, and of what could be a text nothing. Users' own names for
// tools, rules, profiles and workspaces may have spaces.
func clean(k kind, s string) string {
	if s == "" {
		return ""
	}
	if len(s) > maxName || !utf8.ValidString(s) {
		return notName
	}
	spaces := k == kindTool || k == kindRule || k == kindProject || k == kindProfile
	for _, c := range s {
		if c == ' ' && spaces {
			continue
		}
		if !unicode.IsGraphic(c) || unicode.IsSpace(c) {
			return notName
		}
	}
	return s
}

type nameKey struct {
	kind kind
	name string
}

// names knows the numbers of names. It belongs to the writer.
type names struct {
	ids   map[nameKey]int64
	count map[kind]int
	fresh []nameKey // of the transaction under way
	salt  []byte
}

// load reads what the file has. A file without a salt gets one.
func (n *names) load(ctx context.Context, tx *sql.Tx) error {
	n.ids, n.count, n.fresh = map[nameKey]int64{}, map[kind]int{}, nil
	rows, err := tx.QueryContext(ctx, "SELECT id, kind, name FROM names")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var (
			k  nameKey
			id int64
		)
		if err := rows.Scan(&id, &k.kind, &k.name); err != nil {
			return err
		}
		n.ids[k] = id
		n.count[k.kind]++
	}
	if err := rows.Err(); err != nil {
		return err
	}
	salt := make([]byte, 32)
	rand.Read(salt)
	if _, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO salt (id, salt) VALUES (1, ?)", salt); err != nil {
		return err
	}
	return tx.QueryRowContext(ctx, "SELECT salt FROM salt").Scan(&n.salt)
}

// id is the number of a name, made when it has none; 0 is no name.
func (n *names) id(ctx context.Context, tx *sql.Tx, k kind, name string) (int64, error) {
	if name == "" {
		return 0, nil
	}
	if id, ok := n.ids[nameKey{k, name}]; ok {
		return id, nil
	}
	name = clean(k, name)
	if id, ok := n.ids[nameKey{k, name}]; ok {
		return id, nil
	}
	if n.count[k] >= maxNames {
		if id, ok := n.ids[nameKey{k, others}]; ok {
			return id, nil
		}
		name = others
	}
	r, err := tx.ExecContext(ctx, "INSERT INTO names (kind, name) VALUES (?, ?)", int64(k), name)
	if err != nil {
		return 0, err
	}
	id, err := r.LastInsertId()
	if err != nil {
		return 0, err
	}
	key := nameKey{k, strings.Clone(name)}
	n.ids[key] = id
	n.fresh = append(n.fresh, key)
	n.count[k]++
	return id, nil
}

// end says whether the transaction came to something. Names that went with it
// have no number.
func (n *names) end(kept bool) {
	if !kept {
		for _, k := range n.fresh {
			delete(n.ids, k)
			n.count[k.kind]--
		}
	}
	n.fresh = n.fresh[:0]
}

// project is what is kept of a folder.
func (n *names) project(folder string, named func(string) string) string {
	if folder == "" {
		return ""
	}
	if named != nil {
		if name := named(folder); name != "" {
			return name
		}
	}
	m := hmac.New(sha256.New, n.salt)
	m.Write([]byte(folder))
	return "project-" + hex.EncodeToString(m.Sum(nil)[:5])
}
