module example.com/goc-watchdog/agent

go 1.20
