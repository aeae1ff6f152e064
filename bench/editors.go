package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/korproxy/korproxy/companion/lsp"
)

// attached is one `korproxy lsp` with an editor at it.
type attached struct {
	cmd      *exec.Cmd
	statuses chan lsp.StatusParams
}

// editors measures four editors at one daemon: how soon each shows a status, what
// they take, and how soon all are ready again when the daemon is killed.
func editors(ctx context.Context, bin, dir string) error {
	const count = 4
	home := filepath.Join(dir, "editors")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	env := append(os.Environ(), "KORPROXY_HOME="+home, "KORPROXY_LISTEN=127.0.0.1:0", "KORPROXY_KEYRING=off")
	var all []*attached
	var first []time.Duration
	defer func() {
		for _, a := range all {
			_ = a.cmd.Process.Kill() // it may have ended
			_ = a.cmd.Wait()
		}
		c := exec.CommandContext(context.WithoutCancel(ctx), bin, "down")
		c.Env = env
		_ = c.Run() // it may have ended
	}()
	for range count {
		began := time.Now()
		a, err := attach(ctx, bin, env)
		if err != nil {
			return err
		}
		all = append(all, a)
		if err := a.ready(); err != nil {
			return err
		}
		first = append(first, time.Since(began))
	}
	// What only starting needed is given back after a second.
	time.Sleep(3 * time.Second)
	pid, err := daemonOf(ctx, bin, env)
	if err != nil {
		return err
	}
	daemon := rss(pid)
	var each []int
	total := daemon
	for _, a := range all {
		each = append(each, rss(a.cmd.Process.Pid))
		total += each[len(each)-1]
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := p.Kill(); err != nil {
		return err
	}
	for _, a := range all {
		if err := a.ready(); err != nil {
			return err
		}
	}
	healed := time.Since(began)
	warm := slices.Clone(first[1:])
	slices.Sort(warm)
	fmt.Printf("\n| editors | figure | budget |\n|---|---|---|\n")
	fmt.Printf("| first status, no daemon yet | %d ms | |\n", first[0].Milliseconds())
	fmt.Printf("| first status, warm daemon, the slowest of %d | %d ms | 50 ms |\n", len(warm), warm[len(warm)-1].Milliseconds())
	fmt.Printf("| RSS of a forwarder, the largest of %d | %.1f MB | 15 MB |\n", count, float64(slices.Max(each))/1024)
	fmt.Printf("| RSS of the daemon | %.1f MB | |\n", float64(daemon)/1024)
	fmt.Printf("| RSS of the set | %.1f MB | 120 MB |\n", float64(total)/1024)
	fmt.Printf("| all ready again after kill -9 of the daemon | %d ms | 2000 ms |\n", healed.Milliseconds())
	return nil
}

func attach(ctx context.Context, bin string, env []string) (*attached, error) {
	a := &attached{cmd: exec.CommandContext(ctx, bin, "lsp"), statuses: make(chan lsp.StatusParams, 100)}
	a.cmd.Env, a.cmd.Stderr = env, os.Stderr
	in, err := a.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := a.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(a.statuses)
		r := lsp.NewReader(out)
		for {
			b, err := r.Next()
			if err != nil {
				return
			}
			var m struct {
				Method string
				Params lsp.StatusParams
			}
			if json.Unmarshal(b, &m) == nil && m.Method == lsp.MethodStatus {
				a.statuses <- m.Params
			}
		}
	}()
	for _, m := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{"experimental":{"korproxy":{"status":true,"menu":true}}}}}`,
		`{"jsonrpc":"2.0","method":"initialized","params":{}}`,
	} {
		if err := lsp.WriteMessage(in, []byte(m)); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// ready waits for the status.
func (a *attached) ready() error {
	limit := time.After(20 * time.Second)
	for {
		select {
		case s, ok := <-a.statuses:
			if !ok {
				return fmt.Errorf("korproxy lsp has ended")
			}
			if s.State == lsp.Ready {
				return nil
			}
		case <-limit:
			return fmt.Errorf("no editor is ready after 20 s")
		}
	}
}

func daemonOf(ctx context.Context, bin string, env []string) (int, error) {
	c := exec.CommandContext(ctx, bin, "status", "--json")
	c.Env = env
	out, err := c.Output()
	if err != nil {
		return 0, err
	}
	var st struct{ PID int }
	return st.PID, json.Unmarshal(out, &st)
}

// rss is what a process takes, in KB; 0 where the system does not say.
func rss(pid int) int {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v), "kB"))) // 0 when it is none
			return n
		}
	}
	return 0
}
