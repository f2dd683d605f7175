package main

import _ "embed"

//go:embed ../../etc/passwd
var users string

//go:embed /etc/passwd
var more string

func Handler(input string) (string, error) { return users + more, nil }
