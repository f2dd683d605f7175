package main

var Handler = func(in int) (int, error) { return in + 1, nil }
