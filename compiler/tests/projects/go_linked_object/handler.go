package main

func Handler(in int) (int, error) { return in + 1, nil }
