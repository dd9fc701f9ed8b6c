module example.com/echo

// No patch level and no toolchain line: goc v1.4.5 reads "go 1.N" only.
go 1.21
