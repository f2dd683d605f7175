package main

import "strings"

type Person struct {
	Name string `json:"name"`
}

func Handler(in *Person) (*Person, error) {
	if in == nil {
		return nil, nil
	}
	in.Name = strings.ToUpper(in.Name)
	return in, nil
}
