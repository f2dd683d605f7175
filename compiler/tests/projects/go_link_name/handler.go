package main

import _ "unsafe"

//go:linkname nanotime runtime.nanotime
func nanotime() int64

func Handler(_ struct{}) (bool, error) { return nanotime() > 0, nil }
