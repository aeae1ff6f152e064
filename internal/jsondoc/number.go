package jsondoc

import (
	"math"
	"strconv"
)

// Float is the value of a number; ok is false for anything else and for
// numbers beyond the range of a float64.
func (v Value) Float() (float64, bool) {
	if v.Kind() != Number {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(v.Raw()), 64)
	return f, err == nil
}

// Int is the exact value of an integral number, also when written 5.0 or 1e3;
// ok is false for anything else and beyond the range of an int64.
func (v Value) Int() (int64, bool) {
	if v.Kind() != Number {
		return 0, false
	}
	raw := v.Raw()
	neg := raw[0] == '-'
	if neg {
		raw = raw[1:]
	}
	abs, ok := integer(raw)
	switch {
	case !ok:
		return 0, false
	case neg:
		return -int64(abs), abs <= 1<<63
	default:
		return int64(abs), abs <= math.MaxInt64
	}
}

// integer reads a valid number without sign, if it is integral and fits. Zeros
// at the end of the digits are counted, not multiplied in, as the exponent may
// take them away again.
func integer(raw []byte) (uint64, bool) {
	var abs uint64
	zeros, scale, i := 0, 0, 0
	point := false
	for ; i < len(raw); i++ {
		c := raw[i]
		switch c {
		case '.':
			point = true
			continue
		case 'e', 'E':
			exp, ok := exponent(raw[i+1:])
			if !ok && abs != 0 {
				return 0, false
			}
			scale += exp
			i = len(raw)
			continue
		}
		if point {
			scale--
		}
		if c == '0' {
			zeros++
			continue
		}
		var ok bool
		if abs, ok = shift(abs, zeros+1); !ok || abs > math.MaxUint64-uint64(c-'0') {
			return 0, false
		}
		abs, zeros = abs+uint64(c-'0'), 0
	}
	if abs == 0 {
		return 0, true
	}
	if zeros+scale < 0 {
		return 0, false
	}
	return shift(abs, zeros+scale)
}

// shift is n × 10^digits, if that fits.
func shift(n uint64, digits int) (uint64, bool) {
	for ; digits > 0 && n != 0; digits-- {
		if n > math.MaxUint64/10 {
			return 0, false
		}
		n *= 10
	}
	return n, true
}

// exponent reads what follows the e; not ok when it is too large for any
// number that is not zero to be an int64 by it.
func exponent(b []byte) (int, bool) {
	n, err := strconv.Atoi(string(b))
	return n, err == nil && n > -1<<30 && n < 1<<30
}
