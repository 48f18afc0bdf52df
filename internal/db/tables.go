package db

// Table says how the rows of a table lie when a database is spread over machines.
type Table struct {
	Name string
	// Hot tables are spread by their column bucket. The others are reference tables: whole on every machine, read
	// everywhere, and written seldom, since every machine must take part in it.
	Hot bool
}

// tables are all tables of the schema, a table after those that it refers to. A migration that makes a table adds it
// here: a test compares the list with the schema on both engines, and [DB.CheckLayout] holds a hot table to what being
// spread asks of it.
var tables = []Table{
	{"schema_version", false},
	{"stamp", false},
	{"distribution", false},

	{"programs", false},
	{"versions", false},
	{"keys", false},
	{"audit", false},
	{"imports", false},
	{"drafts", false},
	{"job_pauses", false},
	{"replans", false},
	{"webhooks", false},
	{"webhook_secrets", false},
	{"code_keys", false},
	{"staff", false},
	{"staff_roles", false},
	{"staff_sessions", false},
	{"staff_passes", false},
	{"staff_passkeys", false},
	{"staff_identities", false},

	{"members", true},
	{"identifiers", true},
	{"accounts", true},
	{"facts", true},
	{"postings", true},
	{"lots", true},
	{"tallies", true},
	{"redemptions", true},
	{"receipts", true},
	{"idempotency", true},
	{"event_counts", true},
	{"event_line", true},
	{"event_places", true},
	{"void_facts", true},
	{"jobs", true},
	{"webhook_places", true},
	{"deliveries", true},
	{"import_parts", true},
	{"import_refused", true},
	{"seals", true},
	{"codes", true},
	{"code_guesses", true},
	{"code_pools", true},
	{"gift_cards", true},
	{"code_orders", true},
	{"waiting_purchases", true},
	{"member_sessions", true},
	{"member_codes", true},
	{"member_passes", true},
	{"errand_places", true},
	{"follow_ups", true},
	{"partner_payments", true},
	{"raffles", true},
	{"insight_places", true},
	{"insight_days", true},
	{"insight_buyers", true},
}

// Tables gives all tables of the schema, a table after those that it refers to.
func Tables() []Table { return append([]Table(nil), tables...) }
