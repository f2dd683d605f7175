//go:build go1.21

package apprun_handler

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// decode reads exactly one JSON document into input. Numbers inside interface values arrive as
// float64, as everywhere in Go; only those that a float64 would silently change (integers from
// 2^53 on, magnitudes out of range) arrive as json.Number and so survive unchanged.
func decode(stdin io.Reader, input any) error {
	document, err := io.ReadAll(stdin)
	if err != nil {
		return fmt.Errorf("the input cannot be read: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	if err := decoder.Decode(input); err != nil {
		return explain(err, document, reflect.TypeOf(input).Elem())
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("the input holds more than one JSON document")
	}
	restoreFloats(reflect.ValueOf(input).Elem())
	return nil
}

var unmarshaler = reflect.TypeOf((*json.Unmarshaler)(nil)).Elem()

// restoreFloats walks what was decoded. Types that decode themselves never saw a json.Number of
// ours, and may be cyclic: they are left alone.
func restoreFloats(value reflect.Value) {
	if reflect.PointerTo(value.Type()).Implements(unmarshaler) {
		return
	}
	switch value.Kind() {
	case reflect.Interface:
		if !value.IsNil() && value.CanSet() {
			value.Set(reflect.ValueOf(withFloats(value.Interface())))
		}
	case reflect.Pointer:
		if !value.IsNil() {
			restoreFloats(value.Elem())
		}
	case reflect.Struct:
		for i := 0; i < value.NumField(); i++ {
			// What an embedded struct exports is read, whether its own name is exported or not.
			field := value.Type().Field(i)
			if field.IsExported() || field.Anonymous && field.Type.Kind() == reflect.Struct {
				restoreFloats(value.Field(i))
			}
		}
	case reflect.Slice, reflect.Array:
		for i := 0; i < value.Len() && !isScalar(value.Type().Elem()); i++ {
			restoreFloats(value.Index(i))
		}
	case reflect.Map:
		restoreMap(value)
	}
}

// restoreMap copies each value out and back, because map values cannot be changed in place.
func restoreMap(value reflect.Value) {
	if isScalar(value.Type().Elem()) {
		return
	}
	for _, key := range value.MapKeys() {
		element := reflect.New(value.Type().Elem()).Elem()
		element.Set(value.MapIndex(key))
		restoreFloats(element)
		value.SetMapIndex(key, element)
	}
}

func isScalar(kind reflect.Type) bool {
	return kind.Kind() <= reflect.Complex128 || kind.Kind() == reflect.String
}

func withFloats(value any) any {
	switch value := value.(type) {
	case json.Number:
		return floatIfExact(value)
	case map[string]any:
		for key, element := range value {
			value[key] = withFloats(element)
		}
	case []any:
		for i, element := range value {
			value[i] = withFloats(element)
		}
	}
	return value
}

const firstInexactInteger = 1 << 53

func floatIfExact(number json.Number) any {
	float, err := number.Float64()
	if err != nil {
		return number
	}
	isInteger := !strings.ContainsAny(string(number), ".eE")
	if isInteger && (float >= firstInexactInteger || float <= -firstInexactInteger) {
		return number
	}
	return float
}
