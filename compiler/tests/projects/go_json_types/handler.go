package main

import (
	"encoding/json"
	"fmt"
	"time"
)

type Level int

func (l *Level) UnmarshalText(text []byte) error {
	if string(text) != "low" {
		return fmt.Errorf("unknown level %q", text)
	}
	*l = 1
	return nil
}

func (l Level) MarshalText() ([]byte, error) { return []byte("low"), nil }

type Doc struct {
	At    time.Time       `json:"at"`
	Raw   json.RawMessage `json:"raw"`
	Bytes []byte          `json:"bytes"`
	ByID  map[int]string  `json:"byId"`
	N     json.Number     `json:"n"`
	Level Level           `json:"level"`
}

func Handler(in Doc) (Doc, error) { return in, nil }
