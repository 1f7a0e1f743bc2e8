// Package admin serves health and metrics on a loopback port, and what changes
// something on a Unix socket that only the process's own user can open.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

// Process is what the pages are about.
type Process interface {
	// Unready lists the reasons why the process cannot do its work; empty if
	// it can.
	Unready() []string
	// Metrics gathers everything that is exposed.
	Metrics() prometheus.Gatherer
	// Reload reads the configuration again and says what changed.
	Reload(ctx context.Context) (any, error)
}

// Server serves both listeners.
type Server struct {
	log     *slog.Logger
	process Process
	servers []*http.Server
	stopped chan error
}

// SocketName is the name of the Unix socket within the data folder.
const SocketName = "admin.sock"

// Start listens on the loopback address listen, unless it is empty, and on the
// socket in dataDir. Stop the server with Close.
func Start(listen, dataDir string, p Process, log *slog.Logger) (*Server, error) {
	s := &Server{log: log, process: p, stopped: make(chan error, 2)}
	if listen != "" {
		l, err := listenLoopback(listen)
		if err != nil {
			return nil, err
		}
		s.serve(l, localOnly(s.open()))
	}
	l, err := listenSocket(filepath.Join(dataDir, SocketName))
	if err != nil {
		// The path of a socket may be too long for the system; that is no
		// reason not to ship logs.
		log.Warn("no admin socket: only signals can reload", "error", err)
		return s, nil
	}
	s.serve(l, s.private())
	return s, nil
}

// CheckListen says what is wrong with an address for the port, before anybody
// listens there; an empty one is none.
func CheckListen(listen string) error {
	if listen == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("%w: write it like 127.0.0.1:9610, or \"\" for none", err)
	}
	if !loopback(host) {
		return fmt.Errorf("%q is not a loopback address: health and metrics have no password; put a proxy in front for others", listen)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q is no port: write a number up to 65535", port)
	}
	return nil
}

// loopback says whether host, of an address or a request, is this machine's own.
func loopback(host string) bool {
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return strings.EqualFold(host, "localhost") || err == nil && ip.IsLoopback()
}

func listenLoopback(listen string) (net.Listener, error) {
	if err := CheckListen(listen); err != nil {
		return nil, fmt.Errorf("admin.listen: %w", err)
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("admin.listen: %w: choose another port, or \"\" for none", err)
	}
	return l, nil
}

// listenSocket replaces a socket that a killed process left behind. Whoever owns
// the data folder owns the socket in it.
func listenSocket(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	return l, os.Chmod(path, 0o600)
}

func (s *Server) serve(l net.Listener, h http.Handler) {
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	s.servers = append(s.servers, srv)
	go func() { s.stopped <- srv.Serve(l) }()
}

// Close stops both listeners and waits for requests under way, up to a second.
func (s *Server) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, srv := range s.servers {
		if srv.Shutdown(ctx) != nil {
			_ = srv.Close()
		}
		<-s.stopped
	}
}

func (s *Server) open() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(
		prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return s.process.Metrics().Gather() }),
		promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError}))
	return mux
}

func (s *Server) private() *http.ServeMux {
	mux := s.open()
	mux.HandleFunc("POST /reload", func(w http.ResponseWriter, r *http.Request) {
		changes, err := s.process.Reload(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(changes)
	})
	return mux
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	reasons := s.process.Unready()
	if len(reasons) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, strings.Join(reasons, "\n"))
		return
	}
	fmt.Fprintln(w, "ready")
}

// localOnly refuses requests that name another host: a page in a browser on this
// machine must not read our answers through a name that it points at us.
func localOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if !loopback(host) {
			http.Error(w, "only for requests to a loopback address", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
