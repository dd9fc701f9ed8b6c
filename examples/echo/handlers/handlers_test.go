package handlers

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestRoutes(t *testing.T) {
	started := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

	tests := []struct {
		name         string
		method, path string
		accept, body string
		status       int
		want         string
	}{
		{"index", "GET", "/", "", "", 200, "echo service, up since 2024-02-29T12:00:00Z\n     1  /\n"},
		{"unknown path", "GET", "/nowhere", "", "", 404, "404 page not found\n"},
		{"ping", "GET", "/ping", "", "", 200, "pong\n"},
		{"wrong method", "POST", "/ping", "", "", 405, "/ping takes GET only\n"},
		{"text", "POST", "/mirror?name=ada", "", "Hello", 200, "Ada, the mirror says: olleH\n"},
		{"repeated word", "POST", "/mirror", "", "to be or not to be", 200,
			"Stranger, the mirror says: eb ot ton ro eb ot\n\"be\" occurs 2 times.\n\"to\" occurs 2 times.\n"},
		{"palindrome", "POST", "/mirror?name=ada", "", "Otto", 200,
			"Ada, the mirror says: ottO\nIt reads the same from both sides.\n"},
		{"JSON", "POST", "/mirror?name=ada", "application/json", "Hi", 200,
			`{"name":"Ada","mirrored":"iH","palindrome":false,"words":{"hi":1}}` + "\n"},
		{"empty body", "POST", "/mirror", "", " \n", 400, "nothing stands before the mirror\n"},
		{"body too large", "POST", "/mirror", "", strings.Repeat("x", maxBody+1), 413, "a mirror holds 65536 bytes\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			request := httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body))
			request.Header.Set("Accept", tt.accept)
			response := httptest.NewRecorder()

			New(started).ServeHTTP(response, request)

			if response.Code != tt.status || response.Body.String() != tt.want {
				t.Errorf("%s %s = %d %q, want %d %q",
					tt.method, tt.path, response.Code, response.Body, tt.status, tt.want)
			}
		})
	}
}

func TestVisitsOfTooManyPathsShareOneCount(t *testing.T) {
	var v visits
	for i := 0; i < maxPaths+3; i++ {
		v.add("/" + strings.Repeat("x", i))
	}

	paths, others := 0, 0
	v.each(func(path string, count int) {
		paths++
		if path == "(others)" {
			others = count
		}
	})
	if paths != maxPaths+1 || others != 3 {
		t.Errorf("got %d paths and %d others, want %d and 3", paths, others, maxPaths+1)
	}
}

func TestOnlyNamesTheAllowedMethod(t *testing.T) {
	response := httptest.NewRecorder()
	New(time.Time{}).ServeHTTP(response, httptest.NewRequest(http.MethodGet, "/mirror", nil))
	if got := response.Header().Get("Allow"); got != http.MethodPost {
		t.Errorf("Allow = %q, want %q", got, http.MethodPost)
	}
}
