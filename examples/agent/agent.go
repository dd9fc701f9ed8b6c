//go:build go1.23

// Package agent serves the coverage of its process over HTTP, if the program was built with "go build -cover
// -covermode=atomic". A blank import starts it. README.md has the settings.
//
// The answers are those of coverport (github.com/konflux-ci/coverport). The package has a module of its own, because
// "go build -cover" instruments the packages of the main module, and the agent would count itself.
package agent

import (
	"bytes"
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
	"time"
)

// build has the settings of "go build"; "-cover" is one of them since Go 1.23.
var build = map[string]string{"vcs.revision": os.Getenv("SOURCE_GIT_COMMIT")}
var path, _ = os.Executable()

func init() {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			build[setting.Key] = setting.Value
		}
	}
	if build["-cover"] == "true" && filepath.Ext(path) != ".test" { // "go test" writes a profile of its own
		go serve()
	}
}

func say(problem any) {
	if problem != nil {
		fmt.Fprintln(os.Stderr, "coverage agent:", problem)
	}
}

// serve takes COVERAGE_PORT, or the next of 50 ports that is free.
func serve() {
	defer func() { say(recover()) }() // a panic would end the service
	// Go has no data before the package variables of main are initialized, which may take any time. The race detector
	// would report a look at the data before that, although it does no harm. A build with -race is always atomic.
	if build["-race"] == "" {
		for coverage.WriteMeta(io.Discard) != nil {
			time.Sleep(100 * time.Millisecond)
		}
		say(coverage.WriteCounters(io.Discard)) // names a mode other than atomic
	}
	server := http.Server{Handler: http.HandlerFunc(answer), ReadTimeout: 10 * time.Second, WriteTimeout: 2 * time.Minute}
	first := 53700
	fmt.Sscan(os.Getenv("COVERAGE_PORT"), &first)
	for port := first; port < first+50; port++ {
		listener, err := net.Listen("tcp", net.JoinHostPort(os.Getenv("COVERAGE_HOST"), fmt.Sprint(port)))
		if err == nil {
			if center := os.Getenv("GOC_CENTER"); center != "" {
				go register(center, listener.Addr().String())
			}
			err = server.Serve(listener)
		}
		say(err)
	}
}

// register tells the address to a goc center, which replaces the host by the one that it sees.
func register(center, address string) {
	center, _ = url.JoinPath(center, "v1/cover/register")
	query := url.Values{"name": {os.Getenv("GOC_SERVICE_NAME")}, "address": {"http://" + address}}.Encode()
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for pause := time.Second; pause < 5*time.Minute; pause *= 2 {
		reply, err := client.Post(center+"?"+query, "", nil)
		if err == nil && reply.Body.Close() == nil && reply.StatusCode == http.StatusOK {
			return
		}
		time.Sleep(pause)
	}
	say("not registered, GOC_CENTER failed for 8 minutes")
}

func answer(w http.ResponseWriter, r *http.Request) {
	var counters bytes.Buffer
	for name, text := range map[string]string{"Server": "1", "Pid": fmt.Sprint(os.Getpid()), "Binary": filepath.Base(path),
		"Source-Commit": build["vcs.revision"], "Source-Url": os.Getenv("SOURCE_GIT_URL")} {
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
		hash, now, encoder := counters.Bytes()[8:24], time.Now().UnixNano(), base64.NewEncoder(base64.StdEncoding, w)
		fmt.Fprint(w, `{"meta_data":"`) // not held in memory, since it can be large
		if r.URL.Query().Get("nometa") != "1" && coverage.WriteMeta(encoder) == nil && encoder.Close() == nil {
			fmt.Fprintf(w, `","meta_filename":"covmeta.%x`, hash)
		}
		fmt.Fprintf(w, `","counters_filename":"covcounters.%x.%d.%d","timestamp":%d,"counters_data":"%s"}`+"\n",
			hash, os.Getpid(), now, now, base64.StdEncoding.EncodeToString(counters.Bytes()))
	}
}
