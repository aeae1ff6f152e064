package usage

import (
	"context"
	"database/sql"
	"strings"
)

// rowsAtOnce are inserted by one statement, where there are so many: SQLite then
// keeps its place at the end of the table and its indexes from row to row.
const rowsAtOnce = 16

const (
	insertOne = "INSERT INTO requests (seq, id, time, tool, code, data) VALUES " + rowPlaces
	rowPlaces = "(?, ?, ?, ?, ?, ?)"
	rowArgs   = 6
)

var insertMany = insertOne + strings.Repeat(", "+rowPlaces, rowsAtOnce-1)

// insertion puts rows into the file within one transaction.
type insertion struct {
	tx        *sql.Tx
	one, many *sql.Stmt // made when they are needed
	args      []any     // of the rows that wait, fewer than rowsAtOnce
	packed    []byte    // their numbers
}

// add takes a row. Rows wait for others until rest.
func (in *insertion) add(ctx context.Context, seq int64, id string, r *row) error {
	start := len(in.packed)
	in.packed = r.pack(in.packed)
	in.args = append(in.args, seq, id, r.time, r.tool, r.code, in.packed[start:])
	if len(in.args) < rowsAtOnce*rowArgs {
		return nil
	}
	err := in.exec(ctx, &in.many, insertMany, in.args)
	in.args, in.packed = in.args[:0], in.packed[:0]
	return err
}

// rest inserts the rows that wait.
func (in *insertion) rest(ctx context.Context) error {
	for ; len(in.args) > 0; in.args = in.args[rowArgs:] {
		if err := in.exec(ctx, &in.one, insertOne, in.args[:rowArgs]); err != nil {
			return err
		}
	}
	return nil
}

func (in *insertion) exec(ctx context.Context, st **sql.Stmt, text string, args []any) error {
	if *st == nil {
		made, err := in.tx.PrepareContext(ctx, text)
		if err != nil {
			return err
		}
		*st = made
	}
	_, err := (*st).ExecContext(ctx, args...)
	return err
}
