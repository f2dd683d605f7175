package main

import "example.com/host"

func Handler(input string) (string, error) { return host.Name, nil }
