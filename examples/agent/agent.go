//go:build go1.23

// Package agent serves the coverage of its process over HTTP, if the program was built with "go build -cover
// -covermode=atomic". A blank import starts it. README.md has the settings.
//
// The answers are those of coverport (github.com/konflux-ci/coverport). The package has a module of its own, because
// "go build -cover" instruments the packages of the main module, and the agent would count itself.
package agent

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime/coverage"
	"runtime/debug"
	"strings"
	"time"
)

// settings has the lines that "go version -m" prints of the program; "-cover" is one of them since Go 1.23.
var settings = fmt.Sprint(debug.ReadBuildInfo())
var _, revision, _ = strings.Cut(settings, "\tvcs.revision=")
var commit, _, _ = strings.Cut(revision, "\n")
var path, _ = os.Executable()

func init() {
	if strings.Contains(settings, "\t-cover=true\n") && filepath.Ext(path) != ".test" { // "go test" writes its own profile
		go serve()
	}
}

// say writes a line to stderr if there is a reason for it.
func say(is bool, format string, values ...any) {
	if is {
		fmt.Fprintf(os.Stderr, "coverage agent: "+format+"\n", values...)
	}
}

// serve takes COVERAGE_PORT, or the next of 50 ports that is free.
func serve() {
	defer func() { problem := recover(); say(problem != nil, "%v", problem) }() // a panic would end the service
	// Go has no data before the package variables of main are initialized, which may take any time. The race detector
	// would report a look at the data before that, although it does no harm. A build with -race is always atomic.
	if !strings.Contains(settings, "\t-race=true\n") {
		for coverage.WriteMeta(io.Discard) != nil {
			time.Sleep(100 * time.Millisecond)
		}
		err := coverage.WriteCounters(io.Discard)
		say(err != nil, "%v", err) // names a mode other than atomic
	}
	// The commit is told all the same, since many builds have only a generated file that it has not.
	say(strings.Contains(settings, "\tvcs.modified=true"), "built from modified sources, lines may differ from %s", commit)
	server := http.Server{Handler: http.HandlerFunc(answer), ReadTimeout: 10 * time.Second, WriteTimeout: 2 * time.Minute}
	port, err := net.LookupPort("tcp", os.Getenv("COVERAGE_PORT")) // 0 if there is none
	say(err != nil, "COVERAGE_PORT %q is no port number, 53700 is used", os.Getenv("COVERAGE_PORT"))
	for first, next := cmp.Or(port, 53700), 0; next < 50; next++ {
		listener, err := net.Listen("tcp", net.JoinHostPort(os.Getenv("COVERAGE_HOST"), fmt.Sprint(first+next)))
		if err == nil {
			say(true, "listening on %v", listener.Addr())
			if center := os.Getenv("GOC_CENTER"); center != "" {
				go register(center, listener.Addr().String(), time.Second)
			}
			err = server.Serve(listener)
		}
		say(true, "%v", err)
	}
}

// register tells the address to a goc center, which replaces the host by the one that it sees. A center that fails is
// asked again after the pause, and then after longer and longer ones.
func register(center, address string, pause time.Duration) {
	query := url.Values{"name": {os.Getenv("GOC_SERVICE_NAME")}, "address": {"http://" + address}}.Encode()
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	reply, err := client.Post(strings.TrimRight(center, "/")+"/v1/cover/register?"+query, "", nil)
	if err == nil && reply.Body.Close() == nil && reply.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s", reply.Status)
	}
	if err != nil {
		say(true, "not registered at GOC_CENTER, serves without it, next try in %v: %v", pause, err)
		time.AfterFunc(pause, func() { register(center, address, min(2*pause, time.Hour)) })
	}
}

func answer(w http.ResponseWriter, r *http.Request) {
	var counters strings.Builder
	for name, text := range map[string]string{"Server": "1", "Pid": fmt.Sprint(os.Getpid()), "Binary": filepath.Base(path),
		"Source-Commit": cmp.Or(commit, os.Getenv("SOURCE_GIT_COMMIT")), "Source-Url": os.Getenv("SOURCE_GIT_URL")} {
		w.Header().Set("X-Art-Coverage-"+name, text)
	}
	if r.URL.Path == "/health" {
		fmt.Fprint(w, "coverage server healthy")
	} else if r.URL.Path != "/coverage" {
		http.NotFound(w, r)
	} else if err := coverage.WriteCounters(&counters); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	} else {
		w.Header().Set("Content-Type", "application/json")
		hash, now, encoder := counters.String()[8:24], time.Now().UnixNano(), base64.NewEncoder(base64.StdEncoding, w)
		fmt.Fprint(w, `{"meta_data":"`) // not held in memory, since it can be large
		if r.URL.Query().Get("nometa") != "1" && coverage.WriteMeta(encoder) == nil && encoder.Close() == nil {
			fmt.Fprintf(w, `","meta_filename":"covmeta.%x`, hash)
		}
		fmt.Fprintf(w, `","counters_filename":"covcounters.%x.%d.%d","timestamp":%d,"counters_data":"%s"}`+"\n",
			hash, os.Getpid(), now, now, base64.StdEncoding.EncodeToString([]byte(counters.String())))
	}
}
