package usage

import "math/bits"

// histogram counts values so that shares of them are known to about 3 %: small
// ones exactly, others in sixteen steps for each doubling.
type histogram struct {
	counts []uint32
	total  int64
}

func (h *histogram) add(v int64) {
	i := bucket(v)
	for len(h.counts) <= i {
		h.counts = append(h.counts, 0)
	}
	h.counts[i]++
	h.total++
}

func (h *histogram) join(o *histogram) {
	for len(h.counts) < len(o.counts) {
		h.counts = append(h.counts, 0)
	}
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.total += o.total
}

func bucket(v int64) int {
	if v < 32 {
		return int(max(0, v))
	}
	e := bits.Len64(uint64(v)) - 5
	return e*16 + int(v>>e)
}

// middle is the value in the middle of a bucket.
func middle(i int) int64 {
	if i < 32 {
		return int64(i)
	}
	e := i/16 - 1
	low := int64(i-e*16) << e
	return low + (int64(1)<<e)/2
}

// at is the value that a share of all values is not above, 0 when there are none.
func (h *histogram) at(share float64) int64 {
	if h.total == 0 {
		return 0
	}
	rank := int64(share*float64(h.total-1)) + 1
	for i, n := range h.counts {
		if rank -= int64(n); rank <= 0 {
			return middle(i)
		}
	}
	return 0
}
