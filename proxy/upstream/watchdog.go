package upstream

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
)

// errFirstByte and errIdle are why a watchdog gave up a provider.
var (
	errFirstByte = errors.New("no answer in time")
	errIdle      = errors.New("answer stalled")
)

// watchdog bounds how long a provider may be silent: once until its first
// byte, then between bytes. It works by cancelling the request's context,
// which ends a blocked read.
type watchdog struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	untie   func() bool // lets the exchange outlive its caller
	idle    time.Duration
	beats   atomic.Uint64 // bytes came so many times
	waiting atomic.Bool   // a read is under way; while there is none, the silence is the caller's
	seen    uint64        // beats at the last look; of the timer's goroutine alone
	quiet   int           // looks in a row that saw nothing new

	mu      sync.Mutex // guards what follows
	timer   *time.Timer
	stopped bool
}

// looks is how often in an idle time the watchdog looks. Setting the timer
// anew with each chunk would cost more than passing the chunk on.
const looks = 8

func newWatchdog(parent context.Context, first, idle time.Duration) *watchdog {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(parent))
	w := &watchdog{ctx: ctx, cancel: cancel, idle: idle}
	w.untie = context.AfterFunc(parent, func() { cancel(context.Cause(parent)) })
	if first > 0 {
		w.timer = time.AfterFunc(first, func() { cancel(errFirstByte) })
	}
	return w
}

// alive is told of every read that brought something.
func (w *watchdog) alive() {
	if w.beats.Add(1) > 1 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil && !w.timer.Stop() || w.stopped {
		return // too late: the request is cancelled already
	}
	w.timer = nil
	if w.idle > 0 {
		w.timer = time.AfterFunc(w.idle/looks, w.look)
	}
}

// look ends a request whose provider has been silent for the idle time.
func (w *watchdog) look() {
	if n := w.beats.Load(); n != w.seen || !w.waiting.Load() {
		w.seen, w.quiet = n, 0
	} else if w.quiet++; w.quiet >= looks {
		w.cancel(errIdle)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stopped {
		w.timer.Reset(w.idle / looks)
	}
}

// stop ends the watch and the request.
func (w *watchdog) stop() {
	w.untie()
	w.cancel(nil)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	if w.timer != nil {
		w.timer.Stop()
	}
}

// cause is why err came about: a time-out of ours reaches the reader only as a
// cancelled context.
func (w *watchdog) cause(err error) error {
	if c := context.Cause(w.ctx); c != nil && !errors.Is(c, context.Canceled) {
		return c
	}
	return err
}

// watchedBody is a response body under a watchdog. Its errors are *fault.Error
// but for io.EOF.
type watchedBody struct {
	body io.ReadCloser
	dog  *watchdog
	host string

	ahead []byte // peeked at, not yet read
	err   error  // what came behind it
	told  bool   // all was read that it has to tell, but not its end
}

// A connection is used again only if the answer on it was read to its end, which is
// not always where it has no more to tell. That end is waited for when nobody waits
// for the answer any more, but not for long.
var endWait = 50 * time.Millisecond

const endMost = 4 << 10

// peek gives the first bytes without taking them. It waits for them.
func (b *watchedBody) peek() ([]byte, error) {
	buf := make([]byte, firstRead)
	n, err := b.Read(buf)
	b.ahead, b.err = buf[:n], err
	if n > 0 || errors.Is(err, io.EOF) {
		err = nil
	}
	return b.ahead, err
}

// Read gives what was read ahead, then what comes.
func (b *watchedBody) Read(p []byte) (int, error) {
	if len(b.ahead) > 0 {
		n := copy(p, b.ahead)
		b.ahead = b.ahead[n:]
		return n, nil
	}
	b.ahead = nil
	if b.err != nil {
		return 0, b.err
	}
	b.dog.waiting.Store(true)
	n, err := b.body.Read(p)
	b.dog.waiting.Store(false)
	if n > 0 {
		b.dog.alive()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = networkFault(b.dog.cause(err), b.host)
	}
	return n, err
}

func (b *watchedBody) Close() {
	if b.told {
		b.told = false
		go b.drain(endWait)
		return
	}
	b.dog.stop()
	b.body.Close()
}

// tells notes that the answer has told all. Its end may come when the caller has
// gone with it.
func (b *watchedBody) tells() { b.told = b.dog.untie() }

func (b *watchedBody) drain(wait time.Duration) {
	late := time.AfterFunc(wait, b.dog.stop)
	// What it fails with matters to nobody any more.
	_, _ = io.CopyN(io.Discard, b.body, endMost)
	late.Stop()
	b.Close()
}

// networkFault names what went wrong on the way to or from a provider.
func networkFault(err error, host string) *fault.Error {
	var (
		f       *fault.Error
		dns     *net.DNSError
		cert    *tls.CertificateVerificationError
		unknown x509.UnknownAuthorityError
		record  tls.RecordHeaderError
		timeout net.Error
		squeeze flate.CorruptInputError
	)
	wrap := func(c fault.Code, text string) *fault.Error {
		return &fault.Error{Code: c, Message: text + ": " + host, Err: err}
	}
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, errFirstByte):
		return wrap(fault.FirstByteTimeout, "no answer came in time from the provider")
	case errors.Is(err, errIdle):
		return wrap(fault.IdleTimeout, "the answer stalled at the provider")
	case errors.Is(err, proxy.ErrStopping):
		return fault.New(fault.ShuttingDown, "KorProxy was stopped before the answer had ended")
	case errors.Is(err, context.Canceled):
		return wrap(fault.CallerLeft, "the caller left before the provider answered")
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, &squeeze):
		return wrap(fault.UpstreamBadJSON, "the provider sent a damaged compressed answer")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return wrap(fault.StreamTruncated, "the provider closed the connection before the end of its answer")
	case errors.As(err, &dns):
		return wrap(fault.UpstreamDNS, "the provider's name was not found")
	case errors.As(err, &cert), errors.As(err, &unknown), errors.As(err, &record):
		return wrap(fault.UpstreamTLS, "the provider's certificate was not accepted")
	case errors.As(err, &timeout) && timeout.Timeout():
		return wrap(fault.UpstreamNetwork, "connecting to the provider took too long")
	}
	return wrap(fault.UpstreamNetwork, "the provider was not reached, or closed the connection")
}
