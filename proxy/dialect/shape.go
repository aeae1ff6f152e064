package dialect

import "bytes"

// A shape is a frame but for what its string values say. The frames of a stream
// are mostly of one shape, and to see that is several times faster than to search
// each for the few words that matter: those are names of fields, so that of two
// frames of one shape both have them or neither.
type shape struct {
	fixed []byte // what stands between the string values, with their quotes
	ends  []int  // where each piece ends in fixed
}

// fits says whether data has this shape. No data has the shape of nothing.
func (s *shape) fits(data []byte) bool {
	from := 0
	for i, end := range s.ends {
		piece := s.fixed[from:end]
		if !bytes.HasPrefix(data, piece) {
			return false
		}
		if data = data[len(piece):]; i == len(s.ends)-1 {
			return len(data) == 0
		}
		n := closingQuote(data)
		if n < 0 {
			return false
		}
		data, from = data[n:], end
	}
	return false
}

// learn takes the shape of data, or none where a string in it does not end.
func (s *shape) learn(data []byte) {
	s.fixed, s.ends = s.fixed[:0], s.ends[:0]
	from, at := 0, 0
	for {
		n := bytes.IndexByte(data[at:], '"')
		if n < 0 {
			break
		}
		begin := at + n + 1
		if n = closingQuote(data[begin:]); n < 0 {
			s.ends = s.ends[:0]
			return
		}
		end := begin + n
		if at = end + 1; !bytes.HasPrefix(bytes.TrimLeft(data[at:], " \t\r\n"), []byte{':'}) {
			s.fixed = append(s.fixed, data[from:begin]...)
			s.ends = append(s.ends, len(s.fixed))
			from = end
		}
	}
	s.fixed = append(s.fixed, data[from:]...)
	s.ends = append(s.ends, len(s.fixed))
}

// closingQuote is where the string ends whose content data begins with, -1 when
// it does not.
func closingQuote(data []byte) int {
	for at := 0; ; at++ {
		n := bytes.IndexByte(data[at:], '"')
		if n < 0 {
			return -1
		}
		at += n
		escapes := at
		for escapes > 0 && data[escapes-1] == '\\' {
			escapes--
		}
		if (at-escapes)%2 == 0 {
			return at
		}
	}
}
