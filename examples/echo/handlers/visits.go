package handlers

import (
	"sync"

	"example.com/echo/textutil"
)

// maxPaths bounds the memory that a client can take by asking for ever new paths.
const maxPaths = 100

// visits counts requests by path; its zero value is ready to use.
type visits struct {
	mu     sync.Mutex
	byPath map[string]int
}

func (v *visits) add(path string) {
	v.mu.Lock()
	defer v.mu.Unlock()

	if v.byPath == nil {
		v.byPath = make(map[string]int)
	}
	if _, known := v.byPath[path]; !known && len(v.byPath) >= maxPaths {
		path = "(others)"
	}
	v.byPath[path]++
}

// each calls visit for every path, in order.
func (v *visits) each(visit func(path string, count int)) {
	v.mu.Lock()
	defer v.mu.Unlock()

	for _, path := range textutil.SortedKeys(v.byPath) {
		visit(path, v.byPath[path])
	}
}
