package main

import (
	"embed"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"${enum}."`
}

// Help is shown by --help.
func (c *completionCmd) Help() string {
	return `Prints a script that has the shell complete commands, flags and their values.

  bash   source <(freshet completion bash)          in ~/.bashrc
  zsh    source <(freshet completion zsh)           in ~/.zshrc, behind compinit
  fish   freshet completion fish > ~/.config/fish/completions/freshet.fish`
}

//go:embed completion.bash completion.zsh completion.fish
var completionScripts embed.FS

// Run prints the script, which asks the program itself what may come next, so
// that it is never out of date.
func (c *completionCmd) Run(a *app) error {
	script, err := completionScripts.ReadFile("completion." + c.Shell)
	if err != nil {
		return err
	}
	a.printf("%s", script)
	return nil
}

// completeCmd is what the scripts call.
type completeCmd struct {
	Words []string `arg:"" optional:"" passthrough:""`
}

// Run prints what the last word may become, a candidate and a tab and its help
// on each line; nothing where the shell should complete files.
func (c *completeCmd) Run(a *app, k *kong.Context) error {
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	for _, candidate := range candidates(k.Model.Node, words) {
		a.printf("%s\t%s\n", candidate.text, candidate.help)
	}
	return nil
}

// candidate is a word that may come next.
type candidate struct{ text, help string }

// candidates are those for the last of the words, which may be empty. Bash
// takes --flag=value apart at the =, which is then a word of its own.
func candidates(root *kong.Node, words []string) []candidate {
	if len(words) == 0 {
		words = []string{""}
	}
	var rest []string
	for _, w := range words {
		if w != "=" {
			rest = append(rest, w)
		}
	}
	if words[len(words)-1] == "=" {
		rest = append(rest, "")
	}
	node, flag := walk(root, rest[:len(rest)-1])
	last := rest[len(rest)-1]
	name, value, assigned := strings.Cut(last, "=")
	switch {
	case flag != nil:
		return values(flag, "", last)
	case assigned && strings.HasPrefix(name, "-"):
		if f := flagOf(node, name); f != nil {
			return values(f, name+"=", value)
		}
		return nil
	case strings.HasPrefix(last, "-"):
		return flagCandidates(node, last)
	}
	return commands(node, last)
}

// walk follows the words to the command that they are in, and to the flag whose
// value comes next, if one does.
func walk(node *kong.Node, words []string) (*kong.Node, *kong.Flag) {
	var pending *kong.Flag
	for _, w := range words {
		switch {
		case pending != nil:
			pending = nil
		case strings.HasPrefix(w, "-"):
			if f := flagOf(node, w); f != nil && !f.IsBool() {
				pending = f
			}
		default:
			for _, child := range node.Children {
				if child.Name == w {
					node = child
				}
			}
		}
	}
	return node, pending
}

// flagOf finds a flag of the command, or of those that it is in.
func flagOf(node *kong.Node, word string) *kong.Flag {
	for ; node != nil; node = node.Parent {
		for _, f := range node.Flags {
			if word == "--"+f.Name || f.Short != 0 && word == "-"+string(f.Short) {
				return f
			}
		}
	}
	return nil
}

func values(f *kong.Flag, before, prefix string) []candidate {
	var all []candidate
	if f.Enum == "" {
		return nil
	}
	for _, v := range f.EnumSlice() {
		if strings.HasPrefix(v, prefix) {
			all = append(all, candidate{before + v, ""})
		}
	}
	return all
}

func flagCandidates(node *kong.Node, prefix string) []candidate {
	var all []candidate
	for ; node != nil; node = node.Parent {
		for _, f := range node.Flags {
			if text := "--" + f.Name; !f.Hidden && strings.HasPrefix(text, prefix) {
				all = append(all, candidate{text, f.Help})
			}
		}
	}
	return all
}

func commands(node *kong.Node, prefix string) []candidate {
	var all []candidate
	for _, child := range node.Children {
		if !child.Hidden && strings.HasPrefix(child.Name, prefix) {
			all = append(all, candidate{child.Name, child.Help})
		}
	}
	for _, p := range node.Positional {
		if p.Enum == "" {
			continue
		}
		for _, v := range p.EnumSlice() {
			if strings.HasPrefix(v, prefix) {
				all = append(all, candidate{v, ""})
			}
		}
	}
	return all
}
