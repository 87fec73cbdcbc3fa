package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/alecthomas/kong"
	"github.com/jackc/pgx/v5"
)

type configCmd struct {
	JSON       bool     `help:"Print JSON." env:"-"`
	JSONSchema bool     `name:"json-schema" help:"Print the JSON schema of the --config file instead, for editors." env:"-"`
	Command    []string `arg:"" optional:"" passthrough:"" help:"A command with its flags: what would be in force for it."`
}

// Help is shown by --help.
func (c *configCmd) Help() string {
	return `Prints every setting that is in force, and where it comes from: a flag, the
environment, the --config file, or the default, in this order. Secrets are not shown.

  freshet config                                   all settings of all commands
  freshet --config freshet.yaml config run         those of freshet run
  freshet config --json-schema > freshet.schema.json

An editor completes and checks the file by the schema when its first line is:
  # yaml-language-server: $schema=freshet.schema.json`
}

// Run prints the settings.
func (c *configCmd) Run(a *app, k *kong.Context) error {
	if c.JSONSchema {
		return printJSON(a.Stdout, configSchema(k.Model.Node))
	}
	flags := allFlags(k.Model.Node)
	if len(c.Command) > 0 {
		args := append(ownFlags(k), c.Command...)
		_, inner, err := a.parse(args)
		if err != nil {
			return err
		}
		k, flags = inner, inner.Flags()
	}
	settings, err := settingsOf(k, flags, a.Getenv)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.Stdout, settings)
	}
	return printSettings(a.Stdout, settings)
}

// ownFlags are the flags before the command, for a command line of their own.
func ownFlags(k *kong.Context) []string {
	var args []string
	for _, p := range k.Path {
		if p.Flag != nil && !p.Resolved && configurable(p.Flag) || p.Flag != nil && !p.Resolved && p.Flag.Name == "config" {
			args = append(args, fmt.Sprintf("--%s=%v", p.Flag.Name, k.FlagValue(p.Flag)))
		}
	}
	return args
}

// allFlags are the flags of all commands, those that may be in a file.
func allFlags(node *kong.Node) []*kong.Flag {
	flags := slices.Clone(node.Flags)
	for _, child := range node.Children {
		flags = append(flags, allFlags(child)...)
	}
	return flags
}

// setting is one flag as it is in force.
type setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	From  string `json:"from"` // default, flag, environment NAME, file PATH
	Help  string `json:"help"`
}

// settingsOf are the settings of the flags, by name, each once.
func settingsOf(k *kong.Context, flags []*kong.Flag, getenv func(string) string) ([]setting, error) {
	path := configPath(k)
	file, err := fileValues(k, path)
	if err != nil {
		return nil, err
	}
	byName := map[string]setting{}
	for _, f := range flags {
		if _, there := byName[f.Name]; there || !configurable(f) {
			continue
		}
		s := setting{Name: f.Name, Help: f.Help}
		s.Value, s.From = origin(k, f, path, file)
		if f.Name == "database-url" && s.Value == "" && getenv("DATABASE_URL") != "" {
			s.Value, s.From = getenv("DATABASE_URL"), "environment DATABASE_URL"
		}
		s.Value = shown(f.Name, s.Value)
		byName[f.Name] = s
	}
	var all []setting
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		all = append(all, byName[name])
	}
	return all, nil
}

func fileValues(k *kong.Context, path string) (map[string]string, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, usagef("name the file that --config shall read, or leave it out", "read the configuration: %s", err)
	}
	return readConfig(path, text, flagNames(k.Model.Node))
}

// origin is a flag's value and where it comes from, in the order in which one
// yields to the other.
func origin(k *kong.Context, f *kong.Flag, path string, file map[string]string) (value, from string) {
	for _, p := range k.Path {
		if p.Flag == f && !p.Resolved {
			return fmt.Sprint(k.FlagValue(f)), "flag"
		}
	}
	for _, env := range f.Envs {
		if v, set := os.LookupEnv(env); set {
			return v, "environment " + env
		}
	}
	if v, ok := file[f.Name]; ok {
		return v, "file " + path
	}
	if f.IsBool() && f.Default == "" {
		return "false", "default"
	}
	return f.Default, "default"
}

// hidden stands for a secret that is set.
const hidden = "(set, not shown)"

// secretNames are parts of the names of flags whose values are secrets.
var secretNames = []string{"password", "secret", "token", "private-key"}

// shown is what may be seen of a value. A file that a secret is in is none.
func shown(name, value string) string {
	if value == "" {
		return ""
	}
	if name == "database-url" {
		return shownDatabase(value)
	}
	secret := slices.ContainsFunc(secretNames, func(s string) bool { return strings.Contains(name, s) })
	if secret && !strings.HasSuffix(name, "-file") {
		return hidden
	}
	return value
}

// shownDatabase writes a connection anew from its parts, without the password:
// what cannot be taken apart may hold one anywhere.
func shownDatabase(url string) string {
	cfg, err := pgx.ParseConfig(url)
	if err != nil || torn(cfg) {
		return "(set, and cannot be read)"
	}
	text := fmt.Sprintf("host=%s port=%d dbname=%s user=%s", cfg.Host, cfg.Port, cfg.Database, cfg.User)
	if cfg.Password != "" {
		text += " password=" + hidden
	}
	return text
}

func printSettings(w io.Writer, settings []setting) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "SETTING\tVALUE\tFROM\n")
	for _, s := range settings {
		value := s.Value
		if value == "" {
			value = "-"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", s.Name, value, s.From)
	}
	return t.Flush()
}
