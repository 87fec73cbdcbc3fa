package main

import (
	"reflect"
	"strconv"
	"time"

	"github.com/alecthomas/kong"
)

// jsonSchema is what is used of JSON Schema, draft 2020-12.
type jsonSchema struct {
	Schema      string                 `json:"$schema,omitempty"`
	Title       string                 `json:"title,omitempty"`
	Description string                 `json:"description,omitempty"`
	Type        string                 `json:"type,omitempty"`
	Enum        []string               `json:"enum,omitempty"`
	Pattern     string                 `json:"pattern,omitempty"`
	Default     any                    `json:"default,omitempty"`
	Properties  map[string]*jsonSchema `json:"properties,omitempty"`
	Additional  *bool                  `json:"additionalProperties,omitempty"`
}

// configSchema is the schema of the --config file: the flags of all commands,
// as they are defined, and nothing else.
func configSchema(root *kong.Node) *jsonSchema {
	closed := false
	s := &jsonSchema{
		Schema: "https://json-schema.org/draft/2020-12/schema", Title: "freshet.yaml",
		Description: "Settings of freshet: the names of its flags and their values. One file serves all commands.",
		Type:        "object", Properties: map[string]*jsonSchema{}, Additional: &closed,
	}
	for _, f := range allFlags(root) {
		if configurable(f) && s.Properties[f.Name] == nil {
			s.Properties[f.Name] = flagSchema(f)
		}
	}
	return s
}

// duration is what time.ParseDuration takes, without a sign.
const duration = `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$|^0$`

// flagSchema is the schema of one flag's value.
func flagSchema(f *kong.Flag) *jsonSchema {
	s := &jsonSchema{Description: f.Help, Type: "string"}
	switch {
	case f.Target.Type() == reflect.TypeFor[time.Duration]():
		s.Pattern = duration
	case f.IsBool():
		s.Type = "boolean"
	case f.Target.CanInt(), f.Target.CanUint():
		s.Type = "integer"
	case f.Target.CanFloat():
		s.Type = "number"
	}
	if f.Enum != "" {
		s.Enum = f.EnumSlice()
	}
	if f.Default != "" {
		s.Default = typedDefault(s.Type, f.Default)
	}
	return s
}

// typedDefault is the default as JSON has it; a text where it is none of the type.
func typedDefault(kind, text string) any {
	switch kind {
	case "boolean":
		if v, err := strconv.ParseBool(text); err == nil {
			return v
		}
	case "integer":
		if v, err := strconv.ParseInt(text, 10, 64); err == nil {
			return v
		}
	case "number":
		if v, err := strconv.ParseFloat(text, 64); err == nil {
			return v
		}
	}
	return text
}
