//go:build go1.21

package apprun_handler

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// explain names the field and the type that do not fit.
func explain(err error, document []byte, wanted reflect.Type) error {
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		kind := typeName(mismatch.Type)
		return fmt.Errorf("%s must be %s, got %s", place(mismatch.Field), kind, mismatch.Value)
	}
	// A type that reads itself says what it does not like, but not where it stood.
	if json.Valid(document) {
		return fmt.Errorf("%s does not fit: %w", place(locate(document, wanted, err.Error())), err)
	}
	return fmt.Errorf("the input does not fit: %w", err)
}

func place(field string) string {
	if field == "" {
		return "the input"
	}
	return fmt.Sprintf("input field %q", field)
}

func typeName(wanted reflect.Type) string {
	switch wanted.Kind() {
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Slice, reflect.Array:
		if wanted.Elem().Kind() == reflect.Uint8 {
			return "a text in base64"
		}
		return "an array"
	default:
		return wanted.String()
	}
}

// locate finds the innermost part of a document that gives this problem by decoding each part alone;
// "" when that is the document itself.
func locate(document []byte, wanted reflect.Type, problem string) string {
	if reflect.PointerTo(wanted).Implements(unmarshaler) {
		return ""
	}
	switch wanted.Kind() {
	case reflect.Pointer:
		return locate(document, wanted.Elem(), problem)
	case reflect.Slice, reflect.Array:
		var parts []json.RawMessage
		_ = json.Unmarshal(document, &parts)
		for i, part := range parts {
			if path, found := within(strconv.Itoa(i), part, wanted.Elem(), problem); found {
				return path
			}
		}
	case reflect.Struct, reflect.Map:
		var parts map[string]json.RawMessage
		_ = json.Unmarshal(document, &parts)
		for name, part := range parts {
			if path, found := within(name, part, memberType(wanted, name), problem); found {
				return path
			}
		}
	}
	return ""
}

// within is the path of what gives the problem in a part, if anything does.
func within(name string, part []byte, wanted reflect.Type, problem string) (string, bool) {
	if wanted == nil {
		return "", false
	}
	err := json.Unmarshal(part, reflect.New(wanted).Interface())
	if err == nil || err.Error() != problem {
		return "", false
	}
	return strings.TrimSuffix(name+"."+locate(part, wanted, problem), "."), true
}

// memberType is the type of a member of an object; nil for one that nothing reads.
func memberType(object reflect.Type, name string) reflect.Type {
	if object.Kind() == reflect.Map {
		return object.Elem()
	}
	for _, field := range reflect.VisibleFields(object) {
		tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if tag == "" {
			tag = field.Name
		}
		if field.IsExported() && !field.Anonymous && strings.EqualFold(tag, name) {
			return field.Type
		}
	}
	return nil
}
