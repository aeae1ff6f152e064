package usage

import (
	"encoding/binary"
	"errors"
)

// column is a number of a request that reports look at. Their order is that of
// blocks in files: new ones are put at the end.
type column int

const (
	colTime column = iota
	colTool
	colProject
	colProfile
	colClass
	colProvider
	colAccount
	colModel
	colOutcome
	colInput
	colOutput
	colReasoning
	colCacheRead
	colCacheWrite
	colCost // one more than it is: 0 is unknown
	colRough
	colLatency
	colFirst
	columns
)

// blockRows is how many requests a block holds.
const blockRows = 2048

// block is a number of requests by column. A column that was not asked for has
// no rows.
type block struct {
	rows int
	cols [columns][]int64
}

// roomFor is a block that takes so many rows without growing.
func roomFor(rows int) *block {
	b := &block{}
	room := make([]int64, int(columns)*rows)
	for i := range b.cols {
		b.cols[i] = room[i*rows : i*rows : (i+1)*rows]
	}
	return b
}

func (b *block) reset() {
	b.rows = 0
	for i := range b.cols {
		b.cols[i] = b.cols[i][:0]
	}
}

// How a column is packed.
const (
	packedSame  = iota // one value for all
	packedBytes        // a byte each
	packedInts         // a varint each
	packedSteps        // a signed varint each: the difference from the one before
)

// pack writes a block: the number of rows, then for each column its packing,
// its length and its values.
func (b *block) pack() []byte {
	out := binary.AppendUvarint(nil, uint64(b.rows))
	var body []byte
	for c, col := range b.cols {
		how := packing(column(c), col)
		body = body[:0]
		var before int64
		for _, v := range col {
			switch how {
			case packedBytes:
				body = append(body, byte(v))
			case packedSteps:
				body = binary.AppendVarint(body, v-before)
				before = v
			default:
				body = binary.AppendUvarint(body, uint64(v))
			}
			if how == packedSame {
				break
			}
		}
		out = append(out, byte(how))
		out = binary.AppendUvarint(out, uint64(len(body)))
		out = append(out, body...)
	}
	return out
}

func packing(c column, col []int64) int {
	if c == colTime {
		return packedSteps
	}
	same, small := true, true
	for _, v := range col {
		same = same && v == col[0]
		small = small && v >= 0 && v < 256
	}
	switch {
	case same && len(col) > 0:
		return packedSame
	case small:
		return packedBytes
	}
	return packedInts
}

var errBlock = errors.New("a block of the ledger is damaged")

// unpack reads the wanted columns of a block.
func (b *block) unpack(data []byte, want *[columns]bool) error {
	b.reset()
	rows, n := binary.Uvarint(data)
	if n <= 0 || rows == 0 || rows > 1<<20 {
		return errBlock
	}
	b.rows, data = int(rows), data[n:]
	for c := range b.cols {
		if len(data) < 2 {
			return errBlock
		}
		how := data[0]
		length, n := binary.Uvarint(data[1:])
		if n <= 0 || length > uint64(len(data)-1-n) {
			return errBlock
		}
		body := data[1+n : 1+n+int(length)]
		data = data[1+n+int(length):]
		if !want[c] {
			continue
		}
		var ok bool
		if b.cols[c], ok = unpackColumn(b.cols[c], how, body, b.rows); !ok {
			return errBlock
		}
	}
	return nil
}

// unpackColumn appends rows values to col.
func unpackColumn(col []int64, how byte, body []byte, rows int) ([]int64, bool) {
	switch how {
	case packedBytes:
		if len(body) != rows {
			return col, false
		}
		for _, v := range body {
			col = append(col, int64(v))
		}
		return col, true
	case packedSame:
		v, n := binary.Uvarint(body)
		if n <= 0 || n != len(body) {
			return col, false
		}
		for range rows {
			col = append(col, int64(v))
		}
		return col, true
	case packedInts, packedSteps:
		var before int64
		for range rows {
			v, n := binary.Uvarint(body)
			if n <= 0 {
				return col, false
			}
			body = body[n:]
			if how == packedInts {
				col = append(col, int64(v))
				continue
			}
			before += int64(v>>1) ^ -int64(v&1)
			col = append(col, before)
		}
		return col, len(body) == 0
	}
	return col, false
}
