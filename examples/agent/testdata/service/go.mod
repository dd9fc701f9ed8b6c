module example.com/service

go 1.20

require example.com/goc-watchdog/agent v0.0.0

replace example.com/goc-watchdog/agent => ../..
