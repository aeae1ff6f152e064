package route

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/korproxy/korproxy/proxy"
)

// strides step through a range so that any regular part of the steps, such as
// every second one, is spread over it as evenly as all of them: tools send
// requests of several kinds in turn, and each kind has to be spread. They are the
// golden section and the fractions of the roots of 2, 3 and 7, one for each level
// of groups in groups, so that no level depends on another.
var strides = [...]uint64{0x9E3779B97F4A7C15, 0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0xA54FF53A5F1D36F1}

// turn is whose turn it is among n.
func (w *work) turn(n uint64, level int) uint64 {
	at, _ := bits.Mul64(w.r.Turn*strides[level%len(strides)], n)
	return at
}

// blocked says whether an account should not be asked now.
func (w *work) blocked(st *proxy.Standing) bool { return st.NotBefore.After(w.r.Now) }

// spread finds the places of a group and puts them in the order of its strategy.
func (w *work) spread(g *group) error {
	silent := w.silent
	w.silent = true
	err := w.gather(g, 0)
	w.silent = silent
	if len(w.places) == 0 {
		if !silent {
			*w.steps = 0
			err = w.gather(g, 0) // once more, for the words
		}
		if err == nil {
			err = w.unknown(g.name)
		}
		return err
	}
	w.model = g.name
	w.arrangeGroup(g)
	return nil
}

// gather adds the places of a group's members. A member that leads nowhere is
// passed over; its error is given for the case that all do. The strategies that
// look at members rather than places order them here.
func (w *work) gather(g *group, depth int) error {
	var failed error
	note := func(err error) {
		if err != nil && failed == nil {
			failed = err
		}
	}
	if depth >= maxDepth {
		return w.unknown(g.name)
	}
	if g.Strategy != "weighted" {
		for _, m := range g.Members {
			note(w.member(m, depth))
		}
		return failed
	}
	for _, i := range w.drawn(g, depth) {
		before := len(w.places)
		note(w.member(g.Members[i], depth))
		w.takeTurns(w.places[before:], depth+1)
	}
	return failed
}

// maxSteps bounds the members one decision looks at, for groups within groups
// within groups.
const maxSteps = 1000

// member adds the places of one member: a group's, or a target's in order of
// preference.
func (w *work) member(target string, depth int) error {
	if *w.steps++; *w.steps > maxSteps {
		return errUnknown
	}
	for range maxDepth {
		if g := w.t.groups[target]; g != nil {
			before := len(w.places)
			err := w.gather(g, depth+1)
			w.strategy(g, w.places[before:], depth+1)
			return err
		}
		next, ok := w.next(target)
		if !ok {
			break
		}
		target = next
	}
	before := len(w.places)
	if err := w.find(target); err != nil {
		if w.r.Explain {
			w.exclude("", "", target, err.Error())
		}
		return err
	}
	w.byHealth(w.places[before:])
	return nil
}

// drawn is the order of a weighted group's members: whose turn it is, and the
// others behind it. A member all of whose accounts are out of order does not
// take a turn, so that its share is spread by weight too.
func (w *work) drawn(g *group, level int) []int {
	order := make([]int, len(g.Members))
	total, out := uint64(0), make([]bool, len(g.Members))
	for i := range order {
		order[i] = i
		probe := w.fork()
		probe.r = quiet(w.r)
		out[i] = probe.member(g.Members[i], 1) != nil || len(probe.places) == 0 || w.blocked(&probe.places[0].Standing)
		if !out[i] {
			total += g.weight(i)
		}
	}
	if total == 0 {
		return order
	}
	at, taken := w.turn(total, level), 0
	for i := range order {
		if out[i] {
			continue
		}
		if weight := g.weight(i); at >= weight {
			at -= weight
			continue
		}
		taken = i
		break
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case a == taken || b == taken:
			return truth(b == taken) - truth(a == taken)
		default:
			return cmp.Compare(g.weight(b), g.weight(a))
		}
	})
	return order
}

// quiet is a request without an explanation.
func quiet(r *Request) *Request {
	if !r.Explain {
		return r
	}
	q := *r
	q.Explain = false
	return &q
}

func (g *group) weight(i int) uint64 {
	if g.Weights == nil {
		return 1
	}
	return uint64(max(g.Weights[i], 0)) //nolint:gosec // not negative
}

// strategy orders places as a group wants it. Priority and weighted are the
// order in which they were gathered.
func (w *work) strategy(g *group, places []place, level int) {
	switch g.Strategy {
	case "round-robin":
		w.takeTurns(places, level)
	case "least-loaded":
		w.takeTurns(places, level)
		w.sort(places, func(a, b *place) int { return cmp.Compare(a.Standing.Load, b.Standing.Load) })
	case "quota", "":
		w.takeTurns(places, level)
		for i := range places {
			places[i].left = left(&places[i].Standing, i == 0)
		}
		w.sort(places, func(a, b *place) int {
			return cmp.Or(cmp.Compare(b.left, a.left), a.Standing.Reset.Compare(b.Standing.Reset))
		})
	}
	w.byHealth(places)
}

// left is the share of its quota that an account counts as having. One that was
// never asked counts as full, so that its quota becomes known. One that does not
// tell even so goes first when it is its turn, and else in the middle: it would
// get everything as a full one, and nothing as an empty one.
func left(st *proxy.Standing, turn bool) float64 {
	switch {
	case st.Remaining >= 0:
		return st.Remaining
	case st.Checked.IsZero():
		return 1
	case turn:
		return 2
	}
	return .5
}

// takeTurns lets the places that can be asked now begin in turn.
func (w *work) takeTurns(places []place, level int) {
	well := uint64(0)
	for i := range places {
		if !w.blocked(&places[i].Standing) {
			well++
		}
	}
	if well < 2 {
		return
	}
	nth := w.turn(well, level)
	for i := range places {
		if w.blocked(&places[i].Standing) {
			continue
		}
		if nth == 0 {
			reverse(places[:i])
			reverse(places[i:])
			reverse(places)
			return
		}
		nth--
	}
}

// byHealth puts what should not be asked now behind what can, that which can be
// asked sooner first. None is left out.
func (w *work) byHealth(places []place) {
	ill := false
	for i := range places {
		ill = ill || w.blocked(&places[i].Standing)
	}
	if !ill {
		return
	}
	w.sort(places, func(a, b *place) int {
		x, y := w.blocked(&a.Standing), w.blocked(&b.Standing)
		if x && y {
			return a.Standing.NotBefore.Compare(b.Standing.NotBefore)
		}
		return truth(x) - truth(y)
	})
}

// sort is a stable sort by insertion: lists are short, places are large, and
// nothing of them goes onto the stack of a stream.
func (w *work) sort(places []place, compare func(a, b *place) int) {
	for i := 1; i < len(places); i++ {
		for j := i; j > 0 && compare(&places[j], &places[j-1]) < 0; j-- {
			swap(&places[j], &places[j-1])
		}
	}
}

func reverse(places []place) {
	for i, j := 0, len(places)-1; i < j; i, j = i+1, j-1 {
		swap(&places[i], &places[j])
	}
}

// swap keeps the copy of a place off the stack of those who sort.
//
//go:noinline
func swap(a, b *place) { *a, *b = *b, *a }

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}
