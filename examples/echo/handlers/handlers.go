// Package handlers is the HTTP face of the echo service.
package handlers

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"example.com/echo/textutil"
)

// maxBody is the most that a mirror reflects, in bytes.
const maxBody = 64 << 10

// Echo answers the requests of one process and counts them.
type Echo struct {
	started time.Time
	visits  visits
}

// New returns the service's routes; started is shown on the front page.
func New(started time.Time) http.Handler {
	echo := &Echo{started: started}

	mux := http.NewServeMux()
	mux.HandleFunc("/", echo.only(http.MethodGet, echo.index))
	mux.HandleFunc("/ping", echo.only(http.MethodGet, echo.ping))
	mux.HandleFunc("/mirror", echo.only(http.MethodPost, echo.mirror))
	return mux
}

// only lets requests of one method through to next, and counts those it lets through.
//
// The patterns of net/http could name the method since Go 1.22, but the go.mod of this module
// stays at 1.21.
func (e *Echo) only(method string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method {
			w.Header().Set("Allow", method)
			http.Error(w, fmt.Sprintf("%s takes %s only", r.URL.Path, method), http.StatusMethodNotAllowed)
			return
		}
		e.visits.add(r.URL.Path)
		next(w, r)
	}
}

func (e *Echo) index(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" { // "/" matches whatever no other route does
		http.NotFound(w, r)
		return
	}
	fmt.Fprintf(w, "echo service, up since %s\n", e.started.UTC().Format(time.RFC3339))
	e.visits.each(func(path string, count int) {
		fmt.Fprintf(w, "%6d  %s\n", count, path)
	})
}

func (e *Echo) ping(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, "pong")
}

// reflection is what a mirror shows.
type reflection struct {
	Name       string         `json:"name"`
	Mirrored   string         `json:"mirrored"`
	Palindrome bool           `json:"palindrome"`
	Words      map[string]int `json:"words"`
}

// mirror reflects the body for ?name=, as text, or as JSON where the client accepts that.
func (e *Echo) mirror(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			http.Error(w, fmt.Sprintf("a mirror holds %d bytes", tooLarge.Limit), http.StatusRequestEntityTooLarge)
			return
		}
		http.Error(w, "the body ended early", http.StatusBadRequest)
		return
	}

	text := strings.TrimSpace(string(body))
	if text == "" {
		http.Error(w, "nothing stands before the mirror", http.StatusBadRequest)
		return
	}
	seen := reflectionOf(r.URL.Query().Get("name"), text)

	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		seen.writeJSON(w)
		return
	}
	seen.writeText(w)
}

func reflectionOf(name, text string) reflection {
	if name == "" {
		name = "stranger"
	}
	return reflection{
		Name:       textutil.Title(name),
		Mirrored:   textutil.Reverse(text),
		Palindrome: textutil.IsPalindrome(text),
		Words:      textutil.Tally(textutil.Words(text)),
	}
}

func (s reflection) writeJSON(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	// An error here means that the client has gone: nobody is left to tell.
	_ = json.NewEncoder(w).Encode(s)
}

func (s reflection) writeText(w io.Writer) {
	fmt.Fprintf(w, "%s, the mirror says: %s\n", s.Name, s.Mirrored)
	if s.Palindrome {
		fmt.Fprintln(w, "It reads the same from both sides.")
	}
	for _, word := range textutil.SortedKeys(s.Words) {
		if count := s.Words[word]; count > 1 {
			fmt.Fprintf(w, "%q occurs %d times.\n", word, count)
		}
	}
}
