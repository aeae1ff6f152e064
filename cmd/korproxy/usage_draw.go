package main

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// screen is what output is drawn on.
type screen struct {
	width  int
	colors bool
}

// defaultWidth is that of output which is no terminal.
const defaultWidth = 80

// screen finds out about the output: a terminal has its width, and takes
// colours unless NO_COLOR is set.
func (a *app) screen() screen {
	s := screen{width: defaultWidth}
	if n, err := strconv.Atoi(a.getenv("COLUMNS")); err == nil && n > 0 {
		s.width = n
	}
	f, ok := a.out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return s
	}
	if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
		s.width = w
	}
	s.colors = a.getenv("NO_COLOR") == "" && a.getenv("TERM") != "dumb"
	return s
}

// wide says whether there is room for the further columns.
func (s screen) wide() bool { return s.width >= 100 }

// The colours, as terminals number them.
const (
	red    = 31
	green  = 32
	yellow = 33
	cyan   = 36
)

func (s screen) colour(c int, text string) string {
	if !s.colors || text == "" {
		return text
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", c, text)
}

func (s screen) dim(text string) string  { return s.colour(2, text) }
func (s screen) bold(text string) string { return s.colour(1, text) }

var eighths = []string{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"}

// bar is a share, 0 to 1, of a width. What is more than nothing shows.
func bar(share float64, width int) string {
	if !(share > 0) || width <= 0 {
		return ""
	}
	n := max(1, int(math.Round(min(share, 1)*float64(width)*8)))
	return strings.Repeat("█", n/8) + eighths[n%8]
}

// gauge is a bar of a fixed width whose rest shows too.
func gauge(share float64, width int) string {
	b := bar(share, width)
	return b + strings.Repeat("░", max(0, width-utf8.RuneCountInString(b)))
}

func columnWidths(rows [][]string) []int {
	widths := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, c := range r {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	return widths
}

// fit shortens the first column in its middle, so that the rows are no wider
// than told where that can be.
func fit(rows [][]string, width int) {
	widths := columnWidths(rows)
	rest := 0
	for _, w := range widths[1:] {
		rest += w + 2
	}
	room := max(10, width-rest)
	for _, r := range rows {
		r[0] = shorten(r[0], room)
	}
}

// shorten leaves out the middle of what is too long: names differ at their ends.
func shorten(s string, width int) string {
	r := []rune(s)
	if len(r) <= width {
		return s
	}
	head := (width - 1) / 2
	return string(r[:head]) + "…" + string(r[len(r)-(width-1-head):])
}

// align writes the first cell to the left and the others, which are numbers,
// to the right of their columns.
func align(cells []string, widths []int) string {
	var b strings.Builder
	for i, c := range cells {
		pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c))
		if i == 0 {
			b.WriteString(c + pad)
		} else {
			b.WriteString("  " + pad + c)
		}
	}
	return b.String()
}

// grouped is a number as 1,234,567.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// short is a number in three digits or so: 950, 1.2k, 34k, 5.6M.
func short(n int64) string {
	units := []string{"", "k", "M", "G", "T"}
	v := float64(n)
	i := 0
	for ; v >= 999.5 && i < len(units)-1; i++ {
		v /= 1000
	}
	if i == 0 || v >= 99.5 {
		return fmt.Sprintf("%.0f%s", v, units[i])
	}
	if t := fmt.Sprintf("%.1f", v); len(t) <= 4 {
		return t + units[i]
	}
	return fmt.Sprintf("%.0f%s", v, units[i])
}

// dashed is a number, or a dash for none.
func dashed(n int64, format func(int64) string) string {
	if n == 0 {
		return "-"
	}
	return format(n)
}

// money is an amount in dollars, as exact as the size of what it is part of asks.
func money(usd, total float64) string {
	least, digits := .01, 2
	if total < 1 {
		least, digits = .0001, 4
	}
	if usd == 0 {
		return "$0"
	}
	if usd < least/2 {
		return fmt.Sprintf("<$%.*f", digits, least)
	}
	whole, cents, _ := strings.Cut(fmt.Sprintf("%.*f", digits, usd), ".")
	n, _ := strconv.ParseInt(whole, 10, 64)
	return "$" + grouped(n) + "." + cents
}

// span is a number of milliseconds.
func span(ms int64) string {
	switch s := float64(ms) / 1000; {
	case ms < 1000:
		return fmt.Sprintf("%dms", ms)
	case s < 99.95:
		return fmt.Sprintf("%.1fs", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", int(s)/60, int(s)%60)
	default:
		return fmt.Sprintf("%dh%02dm", int(s)/3600, int(s)/60%60)
	}
}

// until is how long something will take, roughly: 2d 4h, 2h 10m, 45s.
func until(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d <= 0:
		return "0s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", (d+30*time.Second)/time.Minute)
	case d < 48*time.Hour:
		d = d.Round(time.Minute)
		return fmt.Sprintf("%dh %dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	d = d.Round(time.Hour)
	return fmt.Sprintf("%dd %dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}
