package usage

import "encoding/binary"

// number is a number of a request that stands packed in its row. Their order is
// that of rows in files: new ones are put at the end, and are 0 in older rows.
type number int

const (
	numProject number = iota
	numProfile
	numClass
	numRule
	numDialect
	numOp
	numStream
	numProvider
	numAccount
	numModel
	numAsked
	numKnown
	numInput
	numOutput
	numReasoning
	numCacheRead
	numCacheWrite
	numCost // one more than it is: 0 is unknown
	numRough
	numLatency
	numFirst
	numOutcome
	numAttempts
	numbers
)

// row is one request as the file has it.
type row struct {
	time, tool, code int64
	n                [numbers]int64
}

// pack appends the numbers, each as a varint.
func (r *row) pack(to []byte) []byte {
	for _, v := range r.n {
		to = binary.AppendUvarint(to, uint64(max(0, v))) //nolint:gosec // not negative
	}
	return to
}

// unpack reads the numbers of a row.
func (r *row) unpack(data []byte) error {
	r.n = [numbers]int64{}
	for i := range r.n {
		if len(data) == 0 {
			return nil // a row from before there was this one
		}
		v, size := binary.Uvarint(data)
		if size <= 0 {
			return errBlock
		}
		r.n[i], data = int64(v), data[size:] //nolint:gosec // as it was packed
	}
	return nil
}

// numberOf is where the columns of reports stand in a row.
var numberOf = [columns]number{
	colProject: numProject, colProfile: numProfile, colClass: numClass, colProvider: numProvider, colAccount: numAccount, colModel: numModel,
	colOutcome: numOutcome, colInput: numInput, colOutput: numOutput, colReasoning: numReasoning, colCacheRead: numCacheRead, colCacheWrite: numCacheWrite,
	colCost: numCost, colRough: numRough, colLatency: numLatency, colFirst: numFirst,
}

// column is what a report sees of a row.
func (r *row) column(c column) int64 {
	switch c {
	case colTime:
		return r.time
	case colTool:
		return r.tool
	}
	return r.n[numberOf[c]]
}
