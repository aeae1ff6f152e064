package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"

	"github.com/korproxy/korproxy/companion"
	"github.com/korproxy/korproxy/internal/config"
	"github.com/korproxy/korproxy/internal/fault"
	"github.com/korproxy/korproxy/proxy"
	"github.com/korproxy/korproxy/proxy/httpd"
	"github.com/korproxy/korproxy/proxy/upstream"
)

func (a *app) serveCommand() *cobra.Command {
	var (
		listen string
		auto   bool
	)
	c := &cobra.Command{
		Use: "serve", Short: "Run the daemon in the foreground", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			flags := map[string]string{}
			if listen != "" {
				flags["listen"] = listen
			}
			return a.serve(cmd.Context(), flags, auto)
		},
	}
	c.Flags().StringVar(&listen, "listen", "", "address to listen on, instead of the configured one")
	c.Flags().BoolVar(&auto, "auto", false, "leave when nobody has used it for companion.idle_exit; editors start it so")
	return c
}

// loadOptions say how this run reads its configuration.
func (a *app) loadOptions(p config.Paths, flags map[string]string) config.Options {
	return config.Options{File: p.ConfigFile, Required: a.config != "", Env: a.environ, Flags: flags, Catalogue: upstream.Rows()}
}

// daemon is one running `serve`.
type daemon struct {
	a       *app
	paths   config.Paths
	lock    *flock.Flock
	ports   []net.Listener
	socket  net.Listener
	gateway *gateway
	server  *httpd.Server
	watcher *config.Watcher
	level   *slog.LevelVar
	log     *slog.Logger
	lines   *lineWriter
	ring    *logRing
	host    *companion.Host
	auto    bool          // an editor started it
	handing sync.Mutex    // held to hand over
	handed  chan struct{} // closed when another daemon has taken over
}

// serve runs the daemon until ctx is done. auto: it leaves when it is idle.
func (a *app) serve(ctx context.Context, flags map[string]string, auto bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer runtime.KeepAlive(calm())
	d := &daemon{a: a, level: new(slog.LevelVar), handed: make(chan struct{}), auto: auto}
	defer d.close()
	if err := d.open(flags, cancel); err != nil {
		return err
	}
	failed := make(chan error, len(d.ports)+1)
	var running sync.WaitGroup
	for _, l := range d.ports {
		running.Go(func() { failed <- d.server.ServePort(l) })
	}
	running.Go(func() { failed <- d.server.ServeSocket(d.socket) })
	d.greet()
	settled := time.AfterFunc(settling, func() {
		debug.FreeOSMemory()
		forgetProgram()
	})
	if d.gateway.distress.Load() == nil {
		running.Go(d.keepGood)
	}
	defer settled.Stop()
	if auto {
		running.Go(func() { d.watchIdle(ctx) })
	}
	var err error
	select {
	case <-ctx.Done():
		d.server.Closing()
		d.host.Leave()
	case <-d.handed:
		d.retire(ctx)
		cancel()
	case err = <-failed:
	}
	d.host.Close()
	d.shutdown()
	running.Wait()
	return err
}

// open takes what only one daemon may have, first of all the port, and then
// puts the parts together.
func (d *daemon) open(flags map[string]string, stop func()) error {
	var err error
	if d.paths, err = d.a.paths(); err != nil {
		return err
	}
	if err := d.paths.Create(); err != nil {
		return err
	}
	opts := d.a.loadOptions(d.paths, flags)
	loaded, distress, broken := loadConfig(d.paths, opts, d.auto)
	if loaded == nil {
		return broken
	}
	if err := d.alone(); err != nil {
		return err
	}
	if d.socket == nil {
		if err := d.listen(loaded.Config.Listen); err != nil {
			return err
		}
	}
	d.log = d.logger(loaded.Config.Log)
	keys, err := httpd.OpenKeys(keyFile(d.paths))
	if err != nil {
		return fault.New(fault.StartFailed, "%w", err)
	}
	d.gateway = newGateway(d.paths, d.a.getenv, loaded, d.log, stop)
	d.gateway.openLedger(d.ring)
	d.gateway.manage.load = opts
	if distress != "" {
		d.gateway.distress.Store(&distress)
		d.gateway.report(broken)
	}
	address := "http://" + d.ports[0].Addr().String()
	d.gateway.address.Store(&address)
	d.server = httpd.New(httpd.Options{
		Doer: d.gateway.engine, Health: d.gateway.health, Models: d.gateway, Keys: keys, Settings: d.gateway.settings,
		Control: d.gateway, Recorder: d.gateway, Books: d.gateway, Metrics: httpd.NewMetrics(Version()), Version: Version(), Log: d.log,
		Build: build().String(), Editor: d.editor, Handover: d.handOver, Refused: d.refused,
	})
	d.openHost()
	d.gateway.open = d.server.Open
	d.watcher, err = config.Watch(loaded, config.WatchOptions{
		Load: opts,
		Changed: func(_, now *config.Loaded) {
			d.gateway.use(now)
			d.gateway.distress.Store(nil)
			d.gateway.report(nil)
			d.keepGood()
			d.lines.catchUp() // what came before is of the level before
			d.level.Set(levelOf(now.Config.Log.Level))
			d.log.Info("the configuration was read again")
		},
		Problems: d.gateway.report,
	})
	if err == nil {
		d.gateway.manage.reload = d.watcher.Reload
	}
	return err
}

// keepGood remembers the configuration as one that was taken.
func (d *daemon) keepGood() {
	if err := lastGoodOf(d.paths).keep(d.paths.ConfigFile); err != nil {
		d.log.Warn("the configuration could not be kept for a bad day", "error", err)
	}
}

// listen binds the port and the socket. Where the port is 127.0.0.1's, the
// same port of [::1] is served too if this machine has one.
func (d *daemon) listen(address string) error {
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", address)
	if err != nil {
		return portTaken(address, err)
	}
	d.ports = append(d.ports, l)
	if host, _, err := net.SplitHostPort(address); err == nil && host == "127.0.0.1" {
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err == nil {
			if six, err := lc.Listen(context.Background(), "tcp", "[::1]:"+port); err == nil {
				d.ports = append(d.ports, six)
			}
		}
	}
	if d.socket, err = listenSocket(d.paths.Socket); err != nil {
		return fault.New(fault.StartFailed, "the socket %s cannot be opened: %w", d.paths.Socket, err)
	}
	return nil
}

func (d *daemon) logger(c config.Log) *slog.Logger {
	d.level.Set(levelOf(c.Level))
	opts := &slog.HandlerOptions{Level: d.level}
	d.lines, d.ring = newLineWriter(boundedLog(d.a.err, d.paths.LogFile)), newLogRing()
	d.ring.before = d.lines.catchUp
	var h slog.Handler = slog.NewTextHandler(d.lines, opts)
	if c.Format == "json" {
		h = slog.NewJSONHandler(d.lines, opts)
	}
	return slog.New(d.lines.later(withRing(h, d.ring, d.level)))
}

func levelOf(name string) slog.Level {
	var l slog.Level
	// The names were checked when the configuration was read.
	_ = l.UnmarshalText([]byte(name))
	return l
}

func keyFile(p config.Paths) string { return filepath.Join(p.StateDir, "keys.json") }

// greet tells who started the daemon by hand how to use it.
func (d *daemon) greet() {
	address := *d.gateway.address.Load()
	d.log.Info("korproxy is ready", "version", Version(), "address", address, "config", d.paths.ConfigFile)
	if d.a.json {
		d.a.object(d.gateway.Status(context.Background()))
		return
	}
	s := d.gateway.state.Load()
	model := upstream.SandboxID
	from := "no account is connected, so the built-in sandbox answers"
	if s.connected {
		from = "models: korproxy models"
		known := d.gateway.known(s)
		if i := slices.IndexFunc(known, func(m proxy.Model) bool { return !m.Embed }); i >= 0 {
			model = known[i].ID
		}
	}
	auth := ""
	if s.config.Config.Local.RequireKey {
		key, err := d.server.Keys.For("you", false)
		if err != nil {
			d.log.Error("no local key could be made", "error", err)
			return
		}
		auth = " -H 'Authorization: Bearer " + key.Key + "'"
		fmt.Fprintf(d.a.out, "KorProxy %s is ready at %s\nlocal key: %s\n%s\n\nTry it:\n", Version(), address, key.Key, from)
	} else {
		fmt.Fprintf(d.a.out, "KorProxy %s is ready at %s\nno local key is asked for (require_key = false)\n%s\n\nTry it:\n", Version(), address, from)
	}
	fmt.Fprintf(d.a.out, "  curl %s/v1/chat/completions%s -H 'Content-Type: application/json' -d '{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}'\n\n", address, auth, model)
}

// shutdown lets open requests end. A second signal cuts them off.
func (d *daemon) shutdown() {
	d.ring.Close() // those who follow the log would keep it
	limit := d.gateway.state.Load().config.Config.Limits.DrainTimeout
	ctx, cancel := secondSignal(limit)
	defer cancel()
	if n := d.server.Open(); n > 0 {
		d.log.Info("stopping; open requests may end", "open", n, "within", limit.String())
	}
	if err := d.server.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
		d.log.Warn("stopping", "error", err)
	}
	d.log.Info("korproxy has stopped")
}

// calm makes the garbage collector run for every 10 MB allocated at the least
// instead of every 4, which under load would be many times a second. The bytes
// are counted by the collector as live, but never touched, so they take no
// memory; and with the low percentage that goes with them, thousands of open
// streams take less than they would without.
func calm() []byte {
	debug.SetGCPercent(15)
	return make([]byte, 64<<20)
}

// settling is how long after its start the daemon gives back the memory that only
// starting needed. Editors start it together with many other things.
const settling = time.Second

// close gives back what open took, in reverse.
func (d *daemon) close() {
	if d.watcher != nil {
		// It reports nothing but what the system says of its own handles.
		_ = d.watcher.Close()
	}
	if d.gateway != nil {
		d.gateway.Close()
	}
	if d.socket != nil {
		d.socket.Close()
	}
	for _, l := range d.ports {
		l.Close()
	}
	if d.lock != nil {
		// The lock ends with the process at the latest.
		_ = d.lock.Unlock()
	}
	if d.lines != nil {
		d.lines.Close()
	}
}

// portTaken says who holds the port and what to do.
func portTaken(address string, err error) error {
	if !isAddrInUse(err) {
		return fault.New(fault.StartFailed, "cannot listen on %s: %w", address, err)
	}
	host, port, _ := net.SplitHostPort(address)
	who := portHolder(port)
	hint := ""
	if strings.Contains(strings.ToLower(who), "jan") {
		hint = " (Jan serves its own API on this port; its settings can move it)"
	}
	if who == "" {
		who = "another program"
	}
	return fault.New(fault.PortTaken, "%s is taken by %s%s: stop it, or start korproxy with --listen %s, or set listen in the configuration", address, who, hint, freeAfter(host, port))
}

// portsTried is how many ports are looked at to find one that is free.
const portsTried = 50

// freeAfter is the next address whose port is free; where none is near, any.
func freeAfter(host, port string) string {
	n, _ := strconv.Atoi(port) // listening on one that is no number fails otherwise
	for i := n + 1; i <= min(n+portsTried, math.MaxUint16); i++ {
		next := net.JoinHostPort(host, strconv.Itoa(i))
		if l, err := listenOnce(next); err == nil {
			l.Close()
			return next
		}
	}
	return net.JoinHostPort(host, "0")
}

func (a *app) alreadyRunning(p config.Paths) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if st, err := newClient(p).status(ctx); err == nil {
		return fault.New(fault.AlreadyRunning, "KorProxy %s is already running (pid %d) at %s", st.Version, st.PID, st.Address)
	}
	return fault.New(fault.AlreadyRunning, "another korproxy of yours is running or just stopping (lock file %s)", p.LockFile)
}
