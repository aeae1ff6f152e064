package usage

import (
	"context"
	"database/sql"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/internal/store"
	"github.com/korproxy/korproxy/proxy"
)

// writer is the one goroutine that writes the file.
type writer struct {
	l      *Ledger
	ctx    context.Context
	names  names
	next   int64 // seq of the next row
	done   int64 // last seq that is in a block
	kept   int64 // rows in the file, about
	fails  int
	tried  bool // the file has been tried
	summed bool // what was spent has been read
	row    row  // of the record at hand
}

func newWriter(l *Ledger) *writer { return &writer{l: l, ctx: context.Background()} }

// The pauses after the file could not be used, and between the steps of upkeep.
const (
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
	stepPause  = 20 * time.Millisecond
	upkeepEach = 24 * time.Hour
)

// run writes until the ledger is closed. What it cannot write waits.
func (w *writer) run() {
	l := w.l
	defer close(l.done)
	defer w.close()
	batch, retry, upkeep := time.NewTimer(time.Hour), time.NewTimer(time.Hour), time.NewTimer(time.Hour)
	batch.Stop()
	retry.Stop()
	upkeep.Stop()
	write := func() {
		batch.Stop()
		if pause := w.flush(); pause > 0 {
			retry.Reset(pause)
		}
	}
	if pause := w.open(); pause > 0 {
		retry.Reset(pause)
	}
	upkeep.Reset(stepPause)
	for {
		select {
		case <-l.stop:
			w.flush()
			return
		case <-l.wake:
			if l.suspect.Swap(false) {
				w.examine()
				upkeep.Reset(stepPause)
			}
			batch.Reset(batchDelay)
		case <-l.full:
			write()
		case <-batch.C:
			write()
		case <-retry.C:
			write()
		case done := <-l.flushes:
			write()
			close(done)
		case <-upkeep.C:
			upkeep.Reset(w.upkeep())
		}
	}
}

// open opens the file. The pause is how long to wait after a failure.
func (w *writer) open() (pause time.Duration) {
	defer func() {
		if !w.tried {
			w.tried = true
			close(w.l.tried)
		}
	}()
	db, err := store.Open(w.ctx, w.l.file, store.Options{Migrations: Migrations(), MaxPages: w.l.o.MaxPages})
	if err != nil {
		return w.failed("opened", err)
	}
	if db.Aside != "" {
		w.l.o.Log.Warn("the ledger was damaged; it is kept beside a new one", "code", string(fault.LedgerFailed), "file", w.l.file, "kept", db.Aside)
	}
	err = db.Write(w.ctx, func(tx *sql.Tx) error {
		if err := w.names.load(w.ctx, tx); err != nil {
			return err
		}
		return tx.QueryRowContext(w.ctx, `SELECT max(coalesce((SELECT max(seq) FROM requests), 0), coalesce((SELECT max(last) FROM blocks), 0)) + 1,
			coalesce((SELECT max(last) FROM blocks), 0), (SELECT coalesce(max(seq) - min(seq) + 1, 0) FROM requests)`).Scan(&w.next, &w.done, &w.kept)
	})
	if err == nil && !w.summed {
		err = w.l.loadSpent(w.ctx, db)
		w.summed = err == nil
	}
	if err != nil {
		pause = w.failed("read", err)
		db.Close()
		if store.Damaged(err) {
			w.replace()
		}
		return pause
	}
	w.l.db.Store(db)
	w.works()
	return 0
}

// failed notes that the file cannot be used.
func (w *writer) failed(what string, err error) time.Duration {
	f := fault.New(fault.LedgerFailed, "the ledger %s cannot be %s, so requests are not recorded: %w", w.l.file, what, err)
	if w.l.problem.Swap(f) == nil {
		w.l.o.Log.Warn("the ledger cannot be used", "code", string(f.Code), "error", f.Message)
	}
	pause := min(lastRetry, firstRetry<<min(w.fails, 8))
	w.fails++
	return pause
}

func (w *writer) works() {
	w.fails = 0
	if w.l.problem.Swap(nil) != nil {
		w.l.o.Log.Info("the ledger is in use again", "dropped", w.l.Dropped())
	}
}

// flush writes what waits. The pause is how long to wait after a failure.
func (w *writer) flush() (pause time.Duration) {
	if w.l.db.Load() == nil {
		if pause := w.open(); pause > 0 {
			return pause
		}
	}
	q := w.l.take()
	err := w.write(q...)
	if err != nil && !store.Damaged(err) {
		q, err = w.eachAlone(q)
	}
	if err != nil {
		w.l.giveBack(q)
		pause = w.failed("written", err)
		if store.Damaged(err) {
			w.replace()
		}
		return pause
	}
	w.works()
	for _, b := range q {
		w.l.reuse(b)
	}
	for more := true; more; {
		if more, err = w.seal(w.l.db.Load()); err != nil {
			w.l.o.Log.Debug("a block of the ledger was not made", "error", err)
			break
		}
	}
	return 0
}

// eachAlone writes batches one by one, as far as there is room on the disk, and so
// that only those are lost that the file does not take: trying again would not
// help. It gives what is still to be written after another failure.
func (w *writer) eachAlone(q []batch) ([]batch, error) {
	for ; len(q) > 0; q = q[1:] {
		err := w.write(q[0])
		if err != nil && !store.Refused(err) {
			return q, err
		}
		if err != nil {
			w.l.dropped.Add(int64(len(q[0])))
			w.l.o.Log.Error("records were not taken by the ledger", "code", string(fault.LedgerFailed), "records", len(q[0]), "error", err)
		}
	}
	return nil, nil
}

// write puts batches into the file, all or none.
func (w *writer) write(batches ...batch) error {
	if len(batches) == 0 {
		return nil
	}
	next := w.next
	err := w.l.db.Load().Write(w.ctx, func(tx *sql.Tx) error {
		in := insertion{tx: tx} // the end of tx closes its statements
		for _, records := range batches {
			for i := range records {
				r := &records[i]
				got, err := w.rowOf(tx, r)
				if err != nil {
					return err
				}
				if err := in.add(w.ctx, next, shortID(r.ID), got); err != nil {
					return err
				}
				next++
			}
		}
		return in.rest(w.ctx)
	})
	w.names.end(err == nil)
	if err != nil {
		return err
	}
	w.kept += next - w.next
	w.next = next
	return nil
}

// rowOf is a record with its words as numbers.
func (w *writer) rowOf(tx *sql.Tx, r *proxy.Record) (*row, error) {
	model, account := r.Model, ""
	if r.Provider != "" {
		model, account = r.Provider+"/"+r.Model, r.Provider+"/"+r.Account
	}
	got := &w.row
	*got = row{}
	for _, word := range [...]struct {
		kind kind
		name string
		to   *int64
	}{
		{kindTool, r.Tool, &got.tool},
		{kindCode, string(r.Code), &got.code},
		{kindProject, w.names.project(r.Workspace, w.l.o.WorkspaceName), &got.n[numProject]},
		{kindProfile, profileOf(r.Profile), &got.n[numProfile]},
		{kindClass, string(r.Class), &got.n[numClass]},
		{kindRule, r.Rule, &got.n[numRule]},
		{kindDialect, string(r.Dialect), &got.n[numDialect]},
		{kindOp, string(r.Op), &got.n[numOp]},
		{kindProvider, r.Provider, &got.n[numProvider]},
		{kindAccount, account, &got.n[numAccount]},
		{kindModel, model, &got.n[numModel]},
		{kindModel, r.Asked, &got.n[numAsked]},
		{kindOutcome, r.Outcome, &got.n[numOutcome]},
	} {
		var err error
		if *word.to, err = w.names.id(w.ctx, tx, word.kind, word.name); err != nil {
			return nil, err
		}
	}
	amount, rough := cost(r)
	if amount != unknown {
		got.n[numCost] = amount + 1
	}
	at := r.Time
	if at.IsZero() {
		at = w.l.o.Now()
	}
	u, n := &r.Usage, &got.n
	got.time = at.UnixMilli()
	n[numStream], n[numKnown], n[numRough] = bit(r.Stream), bit(u.Known), bit(rough)
	n[numInput], n[numOutput], n[numReasoning], n[numCacheRead], n[numCacheWrite] = u.Input, u.Output, u.Reasoning, u.CacheRead, u.CacheWrite
	n[numLatency], n[numFirst], n[numAttempts] = millis(r.Latency), millis(r.FirstByte), int64(r.Attempts)
	return got, nil
}

func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// shortID keeps what is a request's id.
func shortID(id string) string {
	if len(id) > 32 || clean(kindCode, id) == notName {
		return ""
	}
	return id
}

// millis rounds a time that passed up, so that none of it stays none.
func millis(d time.Duration) int64 {
	return int64((max(0, d) + time.Millisecond - 1) / time.Millisecond)
}

// seal packs rows that are in no block yet, if there are enough for one, and
// says whether there are enough for another.
func (w *writer) seal(db *store.DB) (more bool, err error) {
	if w.next-1-w.done < blockRows {
		return false, nil
	}
	last := w.done
	err = db.Write(w.ctx, func(tx *sql.Tx) error {
		b := roomFor(blockRows)
		var err error
		if last, err = b.read(w.ctx, tx, w.done, blockRows); err != nil {
			return err
		}
		if b.rows == 0 { // they were deleted meanwhile
			last = w.next - 1
			return nil
		}
		oldest, newest := b.span()
		_, err = tx.ExecContext(w.ctx, "INSERT INTO blocks (first, last, oldest, newest, data) VALUES (?, ?, ?, ?, ?)", w.done+1, last, oldest, newest, b.pack())
		return err
	})
	if err != nil {
		return false, err
	}
	w.done = last
	return w.next-1-w.done >= blockRows, nil
}

// examine looks at a file that a report found damaged.
func (w *writer) examine() {
	db := w.l.db.Load()
	if db == nil {
		return
	}
	if err := db.Check(w.ctx); store.Damaged(err) {
		w.failed("read", err)
		w.replace()
		return
	}
	// Blocks hold nothing that rows do not.
	err := db.Write(w.ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(w.ctx, "DELETE FROM blocks")
		return err
	})
	if err == nil {
		w.done = 0
	}
}

// replace moves a damaged file aside and begins a new one.
func (w *writer) replace() {
	if db := w.l.db.Swap(nil); db != nil {
		db.Close()
	}
	aside, err := store.MoveAside(w.l.file)
	if err != nil {
		w.failed("moved aside", err)
		return
	}
	w.l.o.Log.Warn("the ledger was damaged; it is kept beside a new one", "code", string(fault.LedgerFailed), "file", w.l.file, "kept", aside)
	w.open()
}

func (w *writer) close() {
	if db := w.l.db.Swap(nil); db != nil {
		if err := db.Close(); err != nil {
			w.l.o.Log.Warn("closing the ledger", "error", err)
		}
	}
}
