module example.com/future

go 1.21

toolchain go1.999.1
