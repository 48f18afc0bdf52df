package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// MaxBody bounds a body: Standard Webhooks asks for less than 20 kB.
const MaxBody = 20_000

// MaxData bounds the data in a body, which leaves room for what stands around it.
const MaxData = MaxBody - 1_000

// Message is what is sent of an event.
type Message struct {
	// ID is that of the event.
	ID, Type string
	// Time is when it occurred.
	Time time.Time
	// Subject is the member; empty when it is about none.
	Subject string
	// Sequence orders the events of a program as text; empty when the event is not in the feed.
	Sequence string
	// Data is a JSON value.
	Data json.RawMessage
}

// ContentType is that of the endpoint's messages.
func (e *Endpoint) ContentType() string {
	if e.Format == CloudEvents {
		return "application/cloudevents+json"
	}
	return "application/json"
}

// StandardBody is the body of Standard Webhooks 1.0, "Payload structure".
type StandardBody struct {
	// Type is that of the event.
	Type string `json:"type"`
	// Timestamp is when it occurred.
	Timestamp time.Time `json:"timestamp"`
	// Data is the event, as GET /v1/events gives it.
	Data json.RawMessage `json:"data"`
}

// CloudEvent is the JSON event format of CloudEvents 1.0.2 with the extension sequence.
type CloudEvent struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Type            string          `json:"type"`
	Time            time.Time       `json:"time"`
	Subject         string          `json:"subject,omitempty"`
	Sequence        string          `json:"sequence,omitempty"`
	DataContentType string          `json:"datacontenttype"`
	Data            json.RawMessage `json:"data"`
}

// Body gives the body of a message to the endpoint. It is made once, and the same in each attempt.
func Body(e *Endpoint, m Message) (string, error) {
	var v any = StandardBody{m.Type, m.Time.UTC(), m.Data}
	if e.Format == CloudEvents {
		v = CloudEvent{"1.0", m.ID, "/programs/" + e.Program, "dev.lojal." + m.Type, m.Time.UTC(), m.Subject, m.Sequence, "application/json", m.Data}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", fmt.Errorf("write the message of %s: %w", m.ID, err)
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}
