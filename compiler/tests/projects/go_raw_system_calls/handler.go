package main

func mount() int

func Handler(input string) (int, error) { return mount(), nil }
