package api

import (
	_ "embed"
	"encoding/json"
)

// answersJSON holds an example of each route's answer, as the program gave it to the route's own example.
//
//go:embed answers.json
var answersJSON []byte

// answers are examples by operation id.
var answers = func() map[string]json.RawMessage {
	m := map[string]json.RawMessage{}
	if err := json.Unmarshal(answersJSON, &m); err != nil {
		panic("api: answers.json: " + err.Error())
	}
	return m
}()
