package api

import (
	_ "embed"
	"encoding/json"
)

//go:generate go test . -run ^TestGenerated$ -update

// commentsJSON holds the doc comments of the types in the API, because a binary has no source.
//
//go:embed comments.json
var commentsJSON []byte

// comments are descriptions by "package.Type" and "package.Type.Field".
var comments = func() map[string]string {
	m := map[string]string{}
	if err := json.Unmarshal(commentsJSON, &m); err != nil {
		panic("api: comments.json: " + err.Error())
	}
	return m
}()
