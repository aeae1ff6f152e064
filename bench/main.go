// Command bench measures what the proxy costs, as ratios in one run: against
// the provider alone, and against a bare httputil.ReverseProxy, which is what
// any proxy written with net/http pays. Every part is a process of its own.
//
//	go run ./bench [-n REQUESTS] [-only NAME]
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	role := flag.String("role", "", "what this process is: provider, reverseproxy, or nothing for the bench itself")
	listen := flag.String("listen", "127.0.0.1:0", "address of a role")
	upstream := flag.String("upstream", "", "base URL behind the reverse proxy")
	n := flag.Int("n", 1000, "requests of each scenario and target")
	only := flag.String("only", "", "run the scenarios whose name contains this")
	flag.Parse()
	var err error
	switch *role {
	case "provider":
		err = serve(*listen, provider())
	case "reverseproxy":
		err = serve(*listen, reverseProxy(*upstream))
	default:
		err = run(*n, *only)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// serve prints its address and serves until it is killed.
func serve(address string, h http.Handler) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println("http://" + l.Addr().String())
	return (&http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}).Serve(l)
}

// run builds the proxy, starts everything, and prints one table.
func run(n int, only string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "korproxy-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	bin := filepath.Join(dir, "korproxy")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", bin, "./cmd/korproxy").CombinedOutput(); err != nil {
		return fmt.Errorf("building korproxy: %w\n%s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	up, stop, err := start(exec.CommandContext(ctx, self, "-role", "provider"))
	if err != nil {
		return err
	}
	defer stop()
	rp, stop, err := start(exec.CommandContext(ctx, self, "-role", "reverseproxy", "-upstream", up))
	if err != nil {
		return err
	}
	defer stop()
	kp, stop, err := startKorproxy(ctx, bin, dir, up)
	if err != nil {
		return err
	}
	defer stop()
	fmt.Printf("| scenario | direct p50 | reverse proxy adds | korproxy adds | x reverse proxy | reverse proxy /s | korproxy /s | x reverse proxy | failed |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, s := range scenarios {
		if !strings.Contains(s.name, only) {
			continue
		}
		row, err := measure(s, n, up, rp, kp)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Println(row)
	}
	if strings.Contains("editors", only) {
		return editors(ctx, bin, dir)
	}
	return nil
}

// start runs a role and reads the address it prints.
func start(c *exec.Cmd) (address string, stop func(), err error) {
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := c.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		// Both fail only when it has ended already.
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	var line strings.Builder
	b := make([]byte, 1)
	for {
		if _, err := out.Read(b); err != nil {
			stop()
			return "", nil, fmt.Errorf("%s printed no address: %w", c.Path, err)
		}
		if b[0] == '\n' {
			return line.String(), stop, nil
		}
		line.WriteByte(b[0])
	}
}

// startKorproxy runs a daemon in a home of its own, with the provider behind
// it in each dialect.
func startKorproxy(ctx context.Context, bin, dir, up string) (base string, stop func(), err error) {
	var config strings.Builder
	config.WriteString("listen = \"127.0.0.1:0\"\n[local]\nrequire_key = false\n[log]\nlevel = \"info\"\n")
	for name, d := range map[string]string{"chat": "openai-chat", "anthropic2": "anthropic-messages", "gemini2": "gemini"} {
		fmt.Fprintf(&config, "[providers.%s]\ndialect = %q\nbase_url = %q\n", name, d, up)
	}
	if err := os.WriteFile(filepath.Join(dir, "korproxy.toml"), []byte(config.String()), 0o600); err != nil {
		return "", nil, err
	}
	c := exec.CommandContext(ctx, bin, "serve")
	c.Env = append(os.Environ(), "KORPROXY_HOME="+dir, "KORPROXY_KEYRING=off")
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return "", nil, err
	}
	c.Stderr = log
	out, err := c.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := c.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		_ = log.Close()
	}
	first := make([]byte, 4<<10)
	n, err := out.Read(first)
	if err != nil {
		stop()
		return "", nil, fmt.Errorf("korproxy did not start: %w", err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	_, rest, _ := strings.Cut(string(first[:n]), "http://")
	host, _, _ := strings.Cut(rest, "\n")
	return "http://" + strings.TrimSpace(host), stop, nil
}
