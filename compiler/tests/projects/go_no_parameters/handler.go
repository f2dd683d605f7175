package main

func Handler() (string, error) { return "hi", nil }
