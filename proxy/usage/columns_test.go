package usage

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestBlocksComeBack(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for _, rows := range []int{1, 2, 300, blockRows} {
		var b block
		b.rows = rows
		for c := range b.cols {
			kind := r.IntN(4)
			for range rows {
				v := int64(7)
				switch kind {
				case 1:
					v = r.Int64N(256)
				case 2:
					v = r.Int64()
				case 3:
					v = 1_700_000_000_000 + r.Int64N(1000)
				}
				if column(c) == colTime {
					v = r.Int64() - r.Int64()
				}
				b.cols[c] = append(b.cols[c], v)
			}
		}
		var want [columns]bool
		for c := range want {
			want[c] = c%2 == 0
		}
		var got block
		if err := got.unpack(b.pack(), &want); err != nil || got.rows != rows {
			t.Fatal(got.rows, err)
		}
		for c := range want {
			if want[c] && !slices.Equal(got.cols[c], b.cols[c]) {
				t.Errorf("column %d of %d rows came back otherwise", c, rows)
			}
			if !want[c] && len(got.cols[c]) > 0 {
				t.Errorf("column %d was not asked for", c)
			}
		}
	}
}

func FuzzUnpack(f *testing.F) {
	var b block
	b.rows = 3
	for c := range b.cols {
		b.cols[c] = []int64{1, int64(c) * 300, 1}
	}
	f.Add(b.pack())
	f.Add([]byte{1, 0, 1, 5})
	f.Fuzz(func(t *testing.T, data []byte) {
		var want [columns]bool
		for c := range want {
			want[c] = true
		}
		var b block
		if b.unpack(data, &want) != nil {
			return
		}
		for c := range b.cols {
			if len(b.cols[c]) != b.rows {
				t.Fatalf("column %d has %d of %d rows", c, len(b.cols[c]), b.rows)
			}
		}
	})
}

func TestHistogram(t *testing.T) {
	for v := int64(0); v < 1<<40; v += 1 + v/37 {
		if m := middle(bucket(v)); m < v-v/30-1 || m > v+v/30+1 {
			t.Fatalf("%d is taken for %d", v, m)
		}
	}
	for i := 1; i < 700; i++ {
		if bucket(middle(i)) != i {
			t.Fatalf("the middle of %d lies in %d", i, bucket(middle(i)))
		}
	}
	var h histogram
	if h.at(.5) != 0 {
		t.Error("nothing has a middle")
	}
}
