package cli

import (
	"fmt"
	"os"
	"strings"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/program"
)

type programSetCmd struct {
	jsonFlag
	File string   `arg:"" help:"Document in YAML."`
	Set  []string `arg:"" optional:"" name:"pointer=value" help:"Value to change, by its JSON pointer."`
}

func (programSetCmd) Help() string {
	return `Without values it lists those that are there. The file is written again with the new ones; comments, order and spaces stay as
they are. Whether the values make sense, lojal program check says.

Examples:

    lojal program set program.yaml
    lojal program set program.yaml /units/star/worth=0.75 /rewards/0/price/star=60`
}

func (c *programSetCmd) Run(e *env) error {
	data, err := e.readInput(c.File)
	if err != nil {
		return err
	}
	if len(c.Set) == 0 {
		list, err := program.Settings(string(data))
		if err != nil {
			return problems(err, c.File)
		}
		if c.JSON {
			return e.json(list)
		}
		for _, s := range list {
			e.printf("%s=%s\n", s.Pointer, s.Value)
		}
		return nil
	}
	changes := map[string]string{}
	for _, s := range c.Set {
		pointer, value, ok := strings.Cut(s, "=")
		if !ok || !strings.HasPrefix(pointer, "/") {
			return errs.Malformed("invalid_setting", fmt.Sprintf("%q is no value: write /units/star/worth=0.75.", s))
		}
		changes[pointer] = value
	}
	text, err := program.Set(string(data), changes)
	if err != nil {
		return problems(err, c.File)
	}
	if c.File == "-" {
		e.printf("%s", text)
		return nil
	}
	if err := replace(c.File, []byte(text)); err != nil {
		return errs.Unavailable("file", fmt.Sprintf("%s cannot be written: %s.", c.File, reasonOf(err)))
	}
	if c.JSON {
		return e.json(map[string]any{"set": len(changes)})
	}
	e.printf("Wrote %s.\n", c.File)
	return nil
}

// replace writes a file anew, so that whoever reads it finds all of the old or all of the new.
func replace(path string, data []byte) (err error) {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	part := path + ".part"
	if err := os.WriteFile(part, data, info.Mode().Perm()); err != nil {
		return err
	}
	return os.Rename(part, path)
}
