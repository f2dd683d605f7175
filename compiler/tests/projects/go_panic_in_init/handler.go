package main

func init() { panic("no configuration") }

func Handler(in int) (int, error) { return in, nil }
