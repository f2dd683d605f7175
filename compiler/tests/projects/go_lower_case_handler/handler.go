package main

func handler(in int) (int, error) { return in + 1, nil }
