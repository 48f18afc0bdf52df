package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"Shell: bash, zsh or fish."`
}

func (completionCmd) Help() string {
	return `Examples:

    lojal completion bash > /etc/bash_completion.d/lojal
    lojal completion zsh > "${fpath[1]}/_lojal"
    lojal completion fish > ~/.config/fish/completions/lojal.fish`
}

func (c *completionCmd) Run(e *env) error {
	words := complete(e.model.Node)
	switch c.Shell {
	case "bash":
		bash(e.Out, words)
	case "zsh":
		fmt.Fprint(e.Out, "#compdef lojal\nautoload -U +X bashcompinit && bashcompinit\n")
		bash(e.Out, words)
	default:
		fish(e.Out, words)
	}
	return nil
}

// completions are the words that may follow one command: its commands and flags.
type completions struct {
	// path is the command without "lojal": "", "program", "program check".
	path     string
	commands []*kong.Node
	flags    []*kong.Flag
	// files says that its arguments are files; values are those of an argument with fixed ones.
	files  bool
	values []string
}

// complete lists the completions of a command and of all below it.
func complete(n *kong.Node) []completions {
	c := completions{path: strings.TrimPrefix(strings.TrimPrefix(n.FullPath(), "lojal"), " ")}
	for _, group := range n.AllFlags(true) {
		c.flags = append(c.flags, group...)
	}
	for _, p := range n.Positional {
		switch {
		case p.Enum != "":
			c.values = append(c.values, p.EnumSlice()...)
		case p.Name == "file" || p.Name == "path" || p.Name == "dir" || p.Name == "from" || p.Name == "a" || p.Name == "b":
			c.files = true
		}
	}
	for _, child := range n.Children {
		if child.Type == kong.CommandNode && !child.Hidden {
			c.commands = append(c.commands, child)
		}
	}
	out := []completions{c}
	for _, child := range c.commands {
		out = append(out, complete(child)...)
	}
	return out
}

func bash(w io.Writer, all []completions) {
	fmt.Fprint(w, `_lojal() {
	local cur=${COMP_WORDS[COMP_CWORD]} path= words= i
	for ((i = 1; i < COMP_CWORD; i++)); do
		case "$path ${COMP_WORDS[i]}" in
`)
	for _, c := range all[1:] {
		fmt.Fprintf(w, "\t\t\" %s\") path=\" %s\" ;;\n", c.path, c.path)
	}
	fmt.Fprint(w, "\t\tesac\n\tdone\n\tcase \"$path\" in\n")
	for _, c := range all {
		path := c.path
		if path != "" {
			path = " " + path
		}
		fmt.Fprintf(w, "\t\"%s\") words=\"%s\" ;;\n", path, strings.Join(c.words(), " "))
	}
	fmt.Fprint(w, `	esac
	COMPREPLY=($(compgen -W "$words" -- "$cur"))
	[ ${#COMPREPLY[@]} -eq 0 ] && COMPREPLY=($(compgen -f -- "$cur"))
}
complete -o filenames -F _lojal lojal
`)
}

func (c completions) words() []string {
	var out []string
	for _, n := range c.commands {
		out = append(out, n.Name)
	}
	out = append(out, c.values...)
	for _, f := range c.flags {
		out = append(out, "--"+f.Name)
	}
	return out
}

func fish(w io.Writer, all []completions) {
	quote := func(s string) string { return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'" }
	fmt.Fprint(w, "complete -c lojal -f\n")
	for _, c := range all {
		seen := "__fish_use_subcommand"
		if c.path != "" {
			parts := strings.Fields(c.path)
			conditions := make([]string, len(parts))
			for i, p := range parts {
				conditions[i] = "__fish_seen_subcommand_from " + p
			}
			seen = strings.Join(conditions, "; and ")
		}
		for _, n := range c.commands {
			fmt.Fprintf(w, "complete -c lojal -n %s -a %s -d %s\n", quote(seen), n.Name, quote(n.Help))
		}
		for _, v := range c.values {
			fmt.Fprintf(w, "complete -c lojal -n %s -a %s\n", quote(seen), v)
		}
		for _, f := range c.flags {
			if f.Name == "help" && c.path != "" {
				continue
			}
			need := " -r"
			if f.IsBool() {
				need = ""
			}
			fmt.Fprintf(w, "complete -c lojal -n %s -l %s%s -d %s\n", quote(seen), f.Name, need, quote(f.Help))
		}
		if c.files {
			fmt.Fprintf(w, "complete -c lojal -n %s -F\n", quote(seen))
		}
	}
}
