package main

var apprun, function = 1, 1

func Handler(in int) (int, error) { return in + apprun + function, nil }
