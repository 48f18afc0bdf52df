package scenario

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"

	"lojal.dev/lojal/internal/program"
)

// sheet is a file that was read.
type sheet struct {
	name string
	data []byte
	root *node
	folio
}

// read reads a scenario file. Mistakes are told as FILE:LINE: what is wrong.
func read(name string) (*sheet, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the scenario file: %w", err)
	}
	s := &sheet{name: name, data: data}
	if err := s.parse(); err != nil {
		if _, placed := errors.AsType[*mistake](err); placed {
			return nil, fmt.Errorf("%s:%w", name, err)
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

func (s *sheet) parse() error {
	root, err := tree(s.data)
	if err != nil {
		return err
	}
	s.root = root
	text := root.json("", nil)
	if root.get("scenarios") != nil {
		err = s.decode(text, &s.folio)
	} else {
		s.Scenarios = make([]story, 1)
		err = s.decode(text, &s.Scenarios[0])
	}
	if err != nil {
		return err
	}
	for i := range s.Scenarios {
		st := &s.Scenarios[i]
		if st.Scenario == "" {
			return &mistake{s.at(i, "").line, "a scenario needs its id: scenario: A01"}
		}
		for j := range st.Before {
			if err := s.step(&st.Before[j], s.at(i, "/before/"+strconv.Itoa(j)).line); err != nil {
				return err
			}
		}
		for j := range st.When {
			if err := s.step(&st.When[j], s.at(i, "/when/"+strconv.Itoa(j)).line); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *sheet) step(st *step, line int) error {
	st.line = line
	if n := len(st.kinds()); n > 1 {
		return &mistake{line, "a step is one thing; here are " + strings.Join(st.kinds(), " and ")}
	}
	if st.At != "" && st.After != nil {
		return &mistake{line, "say either at or after"}
	}
	if st.Simulate != nil {
		return s.step(st.Simulate, line)
	}
	return nil
}

// at gives the place of a part of a scenario.
func (s *sheet) at(i int, pointer string) *node {
	if s.root.get("scenarios") != nil {
		pointer = "/scenarios/" + strconv.Itoa(i) + pointer
	}
	return s.root.find(pointer)
}

var strict = jsonv2.JoinOptions(jsonv2.RejectUnknownMembers(true), jsonv2.StringifyNumbers(true))

func (s *sheet) decode(text []byte, into any) error {
	err := jsonv2.Unmarshal(text, into, strict)
	if err == nil {
		return nil
	}
	m := &mistake{1, err.Error()}
	if sem, ok := errors.AsType[*jsonv2.SemanticError](err); ok {
		m.line = s.root.find(string(sem.JSONPointer)).line
		if sem.Err != nil {
			m.text = sem.Err.Error()
		} else {
			m.text = "this value does not fit here"
		}
		if errors.Is(err, jsonv2.ErrUnknownName) {
			m.text = fmt.Sprintf("there is no field %q here", sem.JSONPointer.LastToken())
		}
	}
	return m
}

// document reads the program that a source names, patched by its with. base is what it is laid over when it names none.
func (s *sheet) document(src source, base *node) (*node, error) {
	n := base
	switch {
	case src.Program != "":
		n = s.root.find(string(src.Program))
	case src.ProgramFile != "":
		var err error
		if n, err = load(filepath.Join(filepath.Dir(s.name), src.ProgramFile)); err != nil {
			return nil, err
		}
	case src.Blueprint != "":
		data, err := program.Blueprint(src.Blueprint)
		if err != nil {
			return nil, err
		}
		if n, err = tree(data); err != nil {
			return nil, err
		}
	case src.Use != "":
		var err error
		if n, err = s.shared(src.Use); err != nil {
			return nil, err
		}
	}
	if n == nil {
		return nil, errors.New("there is no program: write program, program_file, blueprint or use")
	}
	if src.With != "" {
		n = n.patch(s.root.find(string(src.With)))
	}
	return n, nil
}

func load(name string) (*node, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read the program: %w", err)
	}
	n, err := tree(data)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", name, err)
	}
	return n, nil
}

// shared finds a program by its name: in the file's programs, then as programs/NAME.yaml in its folder and those above.
func (s *sheet) shared(name string) (*node, error) {
	if d, ok := s.Programs[name]; ok {
		return s.root.find(string(d)), nil
	}
	dir, err := filepath.Abs(filepath.Dir(s.name))
	if err != nil {
		return nil, err
	}
	for {
		file := filepath.Join(dir, "programs", filepath.Base(name)+".yaml")
		if _, err := os.Stat(file); err == nil {
			return load(file)
		}
		up := filepath.Dir(dir)
		if up == dir {
			return nil, fmt.Errorf("there is no program %q: neither under programs in the file nor as programs/%s.yaml in its folder or one above", name, name)
		}
		dir = up
	}
}
