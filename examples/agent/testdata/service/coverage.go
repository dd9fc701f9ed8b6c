//go:build coverage

package main

import _ "example.com/goc-watchdog/agent"
