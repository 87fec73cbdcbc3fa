package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/agnivade/levenshtein"
	"github.com/alecthomas/kong"
	"gopkg.in/yaml.v3"
)

// BeforeResolve reads the --config file, before flags get their values from
// it. A flag on the command line and the environment come first.
func (c *cli) BeforeResolve(k *kong.Kong, ctx *kong.Context) error {
	path := configPath(ctx)
	if path == "" {
		return nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return usagef("name the file that --config shall read, or leave it out", "read the configuration: %s", err)
	}
	values, err := readConfig(path, text, flagNames(k.Model.Node))
	if err != nil {
		return err
	}
	ctx.AddResolver(kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, f *kong.Flag) (any, error) {
		for _, env := range f.Envs {
			if _, set := os.LookupEnv(env); set {
				return nil, nil
			}
		}
		value, ok := values[f.Name]
		if !ok || !configurable(f) {
			return nil, nil
		}
		return value, nil
	}))
	return nil
}

func configPath(ctx *kong.Context) string {
	for _, f := range ctx.Flags() {
		if f.Name == "config" {
			path, _ := ctx.FlagValue(f).(string)
			return path
		}
	}
	return ""
}

func configurable(f *kong.Flag) bool {
	return len(f.Envs) > 0 && f.Name != "config" && f.Name != "version"
}

// flagNames are the flags of all commands, so that one file serves them all.
func flagNames(node *kong.Node) map[string]bool {
	names := map[string]bool{}
	for _, f := range node.Flags {
		if configurable(f) {
			names[f.Name] = true
		}
	}
	for _, child := range node.Children {
		for name := range flagNames(child) {
			names[name] = true
		}
	}
	return names
}

// readConfig reads a flat YAML mapping from flags' names to their values, as
// text. Every fault is a usage error that names file and line, but not the
// value: it may be a secret.
func readConfig(path string, text []byte, known map[string]bool) (map[string]string, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil && !errors.Is(err, io.EOF) {
		return nil, usagef("write one flag a line: listen: 127.0.0.1:8080", "%s: it is not YAML: %s", path, err)
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, usagef("write one flag a line: listen: 127.0.0.1:8080", "%s:%d: it is not a list of key: value", path, root.Line)
	}
	values := map[string]string{}
	for i := 0; i < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		if err := checkEntry(path, key, value, known, values); err != nil {
			return nil, err
		}
		values[key.Value] = value.Value
	}
	return values, nil
}

func checkEntry(path string, key, value *yaml.Node, known map[string]bool, seen map[string]string) error {
	at := fmt.Sprintf("%s:%d:%d", path, key.Line, key.Column)
	if !known[key.Value] {
		return usagef(suggestion(key.Value, known), "%s: there is no flag %q", at, key.Value)
	}
	if _, twice := seen[key.Value]; twice {
		return usagef("keep one of them", "%s: %s is there twice", at, key.Value)
	}
	if value.Kind != yaml.ScalarNode {
		return usagef("write one value behind the key", "%s: %s is not one value", at, key.Value)
	}
	return nil
}

// suggestion names the flag that is nearest, if one is near.
func suggestion(name string, known map[string]bool) string {
	const near = 3
	best, distance := "", near+1
	for _, k := range slices.Sorted(maps.Keys(known)) {
		if d := levenshtein.ComputeDistance(name, k); d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return "freshet run --help lists them; a flag that makes sense for one call only is no key"
	}
	return "did you mean " + best + "?"
}
