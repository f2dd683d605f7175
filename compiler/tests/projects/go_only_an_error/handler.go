package main

func Handler(in map[string]any) error { return nil }
