package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"lojal.dev/lojal/internal/errs"
)

// Echo is the limit of what a server in Go can answer over HTTP: it reads the body of each request and gives back bytes
// that it has, under /NAME/… those of NAME. file holds the answers as a JSON object, by name. ready is told the address.
// It ends with the context.
func Echo(ctx context.Context, file string, ready func(url string)) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return errs.NotFound("file", fmt.Sprintf("There is no file %s.", file)).Because(err)
	}
	var answers map[string]json.RawMessage
	if err := json.Unmarshal(data, &answers); err != nil {
		return errs.Invalid("invalid_answers", "The file is no JSON object of answers.").Because(err)
	}
	mux := http.NewServeMux()
	for name, answer := range answers {
		mux.HandleFunc("/"+name+"/", func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return // the caller is gone
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(answer) // the same
		})
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return errs.Unavailable("address", "There is no free port on the loopback address.").Because(err)
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	ready("http://" + listener.Addr().String())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return server.Close()
	}
}
