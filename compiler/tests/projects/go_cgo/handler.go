package main

// #include "/etc/shadow"
import "C"

func Handler(input string) (string, error) { return input, nil }
