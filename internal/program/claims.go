package program

// Claims says how long purchases wait that no member has yet.
type Claims struct {
	// Within is how long after the purchase a receipt's code can be claimed; 30 days when left out.
	Within *Period `json:"within,omitempty"`
	// Linked is how long a purchase with a card token waits for somebody to link the card; for ever when left out.
	Linked *Period `json:"linked,omitempty"`
}

func (c *checker) claims(ptr string, t *Claims) {
	c.period(ptr+"/within", t.Within, 1)
	c.period(ptr+"/linked", t.Linked, 1)
}

// ClaimWithin is how long after its purchase a receipt's code can be claimed.
func (t *Claims) ClaimWithin() Period {
	if t == nil || t.Within == nil {
		return Period{N: 30, Unit: "day"}
	}
	return *t.Within
}
