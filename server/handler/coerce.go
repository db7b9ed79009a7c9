package handler

import (
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

// coerce assigns a decoded JSON value as Jackson does: unknown fields are ignored, null leaves the default, and a
// scalar of another type is converted where that makes sense. at names the place for the error message.
func coerce(to reflect.Value, value any, at string) error {
	if value == nil {
		return nil
	}
	if to.Kind() == reflect.Pointer {
		return coercePointer(to, value, at)
	}
	switch v := value.(type) {
	case map[string]any:
		return coerceObject(to, v, at)
	case []any:
		return coerceList(to, v, at)
	case string:
		return coerceText(to, v, "text", at)
	case json.Number:
		return coerceText(to, v.String(), "a number", at)
	case bool:
		if to.Kind() == reflect.Int || to.Kind() == reflect.Int64 {
			return mismatch(to, "a boolean", at)
		}
		return coerceText(to, strconv.FormatBool(v), "a boolean", at)
	}
	return mismatch(to, "something else", at)
}

// coercePointer leaves a pointer to a number or an object nil when the text is empty, as Jackson does.
func coercePointer(to reflect.Value, value any, at string) error {
	if kind := to.Type().Elem().Kind(); value == "" && kind != reflect.String {
		return nil
	}
	target := reflect.New(to.Type().Elem())
	if err := coerce(target.Elem(), value, at); err != nil {
		return err
	}
	to.Set(target)
	return nil
}

func coerceObject(to reflect.Value, fields map[string]any, at string) error {
	switch to.Kind() {
	case reflect.Struct:
		for i := range to.NumField() {
			name, _, _ := strings.Cut(to.Type().Field(i).Tag.Get("json"), ",")
			if err := coerce(to.Field(i), fields[name], name); err != nil {
				return err
			}
		}
		return nil
	case reflect.Map:
		to.Set(reflect.MakeMapWithSize(to.Type(), len(fields)))
		for name, value := range fields {
			element := reflect.New(to.Type().Elem()).Elem()
			if err := coerce(element, value, at+"."+name); err != nil {
				return err
			}
			to.SetMapIndex(reflect.ValueOf(name), element)
		}
		return nil
	default:
		return mismatch(to, "an object", at)
	}
}

func coerceList(to reflect.Value, items []any, at string) error {
	if to.Kind() != reflect.Slice {
		return mismatch(to, "a list", at)
	}
	list := reflect.MakeSlice(to.Type(), len(items), len(items))
	for i, item := range items {
		if err := coerce(list.Index(i), item, at+"["+strconv.Itoa(i)+"]"); err != nil {
			return err
		}
	}
	to.Set(list)
	return nil
}

func coerceText(to reflect.Value, text, found, at string) error {
	switch to.Kind() {
	case reflect.String:
		to.SetString(text)
		return nil
	case reflect.Bool:
		return coerceBool(to, text, found, at)
	case reflect.Int, reflect.Int64, reflect.Uint8:
		return coerceNumber(to, text, found, at)
	case reflect.Slice:
		if to.Type().Elem().Kind() != reflect.Uint8 || found != "text" {
			return mismatch(to, found, at)
		}
		decoded, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return notReadable("JSON parse error: %s is no base64: %s", at, err)
		}
		to.SetBytes(decoded)
		return nil
	default:
		return mismatch(to, found, at)
	}
}

func coerceBool(to reflect.Value, text, found, at string) error {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true":
		to.SetBool(true)
	case "false", "":
		to.SetBool(false)
	default:
		n, err := strconv.ParseInt(text, 10, 64)
		if found != "a number" || err != nil {
			return mismatch(to, found, at)
		}
		to.SetBool(n != 0)
	}
	return nil
}

// coerceNumber takes whole numbers, cuts off fractions, and reads a byte as Java writes it: from -128 to 127.
func coerceNumber(to reflect.Value, text, found, at string) error {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		f, ferr := strconv.ParseFloat(text, 64)
		if ferr != nil || found != "a number" || f >= 1<<63 || f < -1<<63 {
			return mismatch(to, found, at)
		}
		n = int64(f)
	}
	if to.Kind() == reflect.Uint8 {
		if n < -128 || n > 255 {
			return mismatch(to, "the number "+text, at)
		}
		to.SetUint(uint64(byte(n)))
		return nil
	}
	to.SetInt(n)
	return nil
}

func mismatch(to reflect.Value, found, at string) error {
	due := "an object"
	switch to.Kind() {
	case reflect.String:
		due = "text"
	case reflect.Bool:
		due = "true or false"
	case reflect.Int, reflect.Int64, reflect.Uint8:
		due = "a whole number"
	case reflect.Slice:
		due = "a list"
		if to.Type().Elem().Kind() == reflect.Uint8 {
			due = "text in base64"
		}
	default:
	}
	return notReadable("JSON parse error: %s must be %s, found %s", at, due, found)
}
