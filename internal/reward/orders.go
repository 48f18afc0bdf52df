package reward

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/code"
	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/ids"
)

// What becomes of an order.
const (
	// OrderWaiting is not asked for yet; OrderSent may have been, so that it is asked about before it is sent again.
	OrderWaiting = "waiting"
	OrderSent    = "sent"
	// OrderCancelling was called off here, and the provider has not said yet whether it could be.
	OrderCancelling = "cancelling"
	// OrderDelivered and OrderFailed are for good.
	OrderDelivered = "delivered"
	OrderFailed    = "failed"
)

// OrderData is what is asked for. It says nothing of the member.
type OrderData struct {
	// Money is what is on the card, as a decimal number, in Currency.
	Money    string `json:"money"`
	Currency string `json:"currency"`
	// Product is what the provider calls it.
	Product  string `json:"product,omitempty"`
	Greeting string `json:"greeting,omitempty"`
	Look     string `json:"look,omitempty"`
	Language string `json:"language,omitempty"`
	Reward   string `json:"reward"`
}

// Order is a gift card on its way for a redemption.
type Order struct {
	Program, Redemption string
	// Provider is whom it is bought from; "" is the program itself.
	Provider  string
	Status    string
	Data      OrderData
	Tail      string
	Reference string
	// Error is what was said last.
	Error     string
	Tries     int
	NextAt    *time.Time
	CreatedAt time.Time
	UpdatedAt time.Time

	sealed string
}

// Secret is what a provider sends.
type Secret struct {
	Code   string     `json:"code"`
	PIN    string     `json:"pin,omitempty"`
	EndsAt *time.Time `json:"ends_at,omitempty"`
}

// PoolOf names the pool that a provider's cards come from where it is no provider over HTTP: one for each product, or one for all.
func PoolOf(provider, product string) string {
	if product != "" {
		return product
	}
	return provider
}

var insertOrders = db.NewInsert("code_orders", []string{"bucket integer", "program_id text", "redemption text", "provider text", "status text", "request text",
	"next_at bigint null", "created_at bigint", "updated_at bigint"}, "ON CONFLICT DO NOTHING")

// Place writes an order with what else the transaction writes at its end. An order that is there already stays as it is.
func Place(tx *db.Tx, o Order) error {
	bucket, ok := ids.BucketOf(o.Redemption)
	if !ok {
		return fmt.Errorf("%q is no redemption to order for", o.Redemption)
	}
	text, err := json.Marshal(o.Data)
	if err != nil {
		return fmt.Errorf("write an order: %w", err)
	}
	at := o.CreatedAt.UnixMicro()
	tx.InsertLater(insertOrders, []any{bucket, o.Program, o.Redemption, o.Provider, OrderWaiting, string(text), at, at, at})
	return nil
}

const (
	orderColumns = `program_id, redemption, provider, status, request, sealed, tail, reference, error, tries, next_at, created_at, updated_at`
	dueOrders    = `SELECT ` + orderColumns + ` FROM code_orders WHERE next_at IS NOT NULL AND next_at <= $1 `
	dueFirst     = ` ORDER BY next_at, bucket, redemption LIMIT $2`
	getOrder     = `SELECT ` + orderColumns + ` FROM code_orders WHERE bucket = $1 AND program_id = $2 AND redemption = $3`
	listOrders   = `SELECT ` + orderColumns + ` FROM code_orders WHERE program_id = $1 AND redemption > $2`
)

func scanOrder(row db.Scanner) (Order, error) {
	var o Order
	var request string
	var next sql.NullInt64
	var created, updated int64
	err := row.Scan(&o.Program, &o.Redemption, &o.Provider, &o.Status, &request, &o.sealed, &o.Tail, &o.Reference, &o.Error, &o.Tries, &next, &created, &updated)
	if err != nil {
		return o, err
	}
	o.NextAt, o.CreatedAt, o.UpdatedAt = db.Moment(next), time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	if err := json.Unmarshal([]byte(request), &o.Data); err != nil {
		return o, fmt.Errorf("read the order of %s: %w", o.Redemption, err)
	}
	return o, nil
}

func orders(ctx context.Context, tx *db.Tx, query string, args ...any) ([]Order, error) {
	out := []Order{}
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		o, err := scanOrder(row)
		out = append(out, o)
		return err
	}, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read orders: %w", err)
	}
	return out, nil
}

// DueOrders gives orders of all programs for which something is to be done now, the longest due first; none from the providers named.
func DueOrders(ctx context.Context, tx *db.Tx, now time.Time, limit int, without ...string) ([]Order, error) {
	args := []any{now.UnixMicro(), limit}
	var query strings.Builder
	query.WriteString(dueOrders)
	for _, name := range without {
		args = append(args, name)
		query.WriteString(` AND provider <> $` + strconv.Itoa(len(args)))
	}
	query.WriteString(dueFirst)
	return orders(ctx, tx, query.String(), args...)
}

// OpenOrder stands for all that is not over yet, in an [OrderQuery].
const OpenOrder = "open"

// OrderQuery keeps a list of orders to some.
type OrderQuery struct {
	// Status is one of the words above, or OpenOrder; all when left out. Provider is whom they are bought from.
	Status, Provider string
	// After is the redemption of the order to go on after.
	After string
	Limit int
}

// Orders gives a program's orders, the oldest first.
func Orders(ctx context.Context, tx *db.Tx, program string, q OrderQuery) ([]Order, error) {
	query, args := listOrders, []any{program, q.After, q.Limit}
	and := func(column, value string) {
		args = append(args, value)
		query += " AND " + column + " = $" + strconv.Itoa(len(args))
	}
	switch q.Status {
	case "":
	case OpenOrder:
		query += " AND next_at IS NOT NULL"
	default:
		and("status", q.Status)
	}
	if q.Provider != "" {
		and("provider", q.Provider)
	}
	return orders(ctx, tx, query+" ORDER BY redemption LIMIT $3", args...)
}

// GetOrder gives the order of a redemption; not_found "order_not_found".
func GetOrder(ctx context.Context, tx *db.Tx, program, redemption string) (Order, error) {
	missing := errs.NotFound("order_not_found", "There is no order for this redemption.")
	bucket, ok := ids.BucketOf(redemption)
	if !ok {
		return Order{}, missing
	}
	o, err := scanOrder(tx.QueryRow(ctx, getOrder, bucket, program, redemption))
	if errors.Is(err, sql.ErrNoRows) {
		return Order{}, missing
	}
	if err != nil {
		return Order{}, fmt.Errorf("read the order of %s: %w", redemption, err)
	}
	return o, nil
}

const holdOrder = `
UPDATE code_orders SET status = CASE WHEN status = 'waiting' THEN 'sent' ELSE status END, tries = tries + 1, next_at = $1, updated_at = $2
WHERE bucket = $3 AND program_id = $4 AND redemption = $5 AND status = $6 AND next_at = $7`

// Hold takes an order to work on until a time; false where another was first. What was not sent yet counts as sent from then on: whoever comes
// after a process that stopped asks before it sends again.
func (o *Order) Hold(ctx context.Context, tx *db.Tx, until, now time.Time) (bool, error) {
	bucket, _ := ids.BucketOf(o.Redemption)
	res, err := tx.Exec(ctx, holdOrder, until.UnixMicro(), now.UnixMicro(), bucket, o.Program, o.Redemption, o.Status, o.NextAt.UnixMicro())
	if err != nil {
		return false, fmt.Errorf("hold the order of %s: %w", o.Redemption, err)
	}
	n, err := res.RowsAffected()
	if err == nil && n == 1 {
		o.NextAt = &until
	}
	return n == 1, err
}

const laterOrder = `UPDATE code_orders SET next_at = CASE WHEN next_at = $8 THEN $1 ELSE next_at END, error = $2, reference = CASE WHEN $3 = '' THEN reference ELSE $3 END, updated_at = $4
WHERE bucket = $5 AND program_id = $6 AND redemption = $7 AND next_at IS NOT NULL`

// Later says when to ask again, and why. An order that was woken or called off while it was held is looked at as that says.
func (o *Order) Later(ctx context.Context, tx *db.Tx, at time.Time, reference, why string, now time.Time) error {
	bucket, _ := ids.BucketOf(o.Redemption)
	if _, err := tx.Exec(ctx, laterOrder, at.UnixMicro(), Clip(why), Clip(reference), now.UnixMicro(), bucket, o.Program, o.Redemption, o.NextAt.UnixMicro()); err != nil {
		return fmt.Errorf("put the order of %s off: %w", o.Redemption, err)
	}
	return nil
}

const (
	waitingOrders = `
SELECT bucket, redemption FROM code_orders
WHERE program_id = $1 AND next_at > $2 AND status = 'sent' AND (request LIKE $3 ESCAPE '!' OR provider = $4 AND request NOT LIKE '%"product":"%')
ORDER BY created_at, bucket, redemption LIMIT $5`

	wakeOrder = `UPDATE code_orders SET next_at = $1 WHERE bucket = $2 AND program_id = $3 AND redemption = $4 AND next_at > $1 AND status = 'sent'`

	lockOrder = `UPDATE code_orders SET updated_at = updated_at WHERE bucket = $1 AND program_id = $2 AND redemption = $3`
)

// wake has as many of the orders that wait for a pool looked at now as there are new codes, the oldest first.
func wake(ctx context.Context, tx *db.Tx, program, pool string, most int, now time.Time) error {
	type key struct {
		bucket     int32
		redemption string
	}
	var list []key
	err := db.Collect(ctx, tx, func(row db.Scanner) error {
		var k key
		err := row.Scan(&k.bucket, &k.redemption)
		list = append(list, k)
		return err
	}, waitingOrders, program, now.UnixMicro(), `%"product":"`+strings.ReplaceAll(pool, "_", "!_")+`"%`, pool, most)
	for _, k := range list {
		if err == nil {
			_, err = tx.Exec(ctx, wakeOrder, now.UnixMicro(), k.bucket, program, k.redemption)
		}
	}
	if err != nil {
		return fmt.Errorf("wake the orders that wait for the pool %s: %w", pool, err)
	}
	return nil
}

// Lock has others who work on the order wait until the transaction is over.
func (o *Order) Lock(ctx context.Context, tx *db.Tx) error {
	bucket, _ := ids.BucketOf(o.Redemption)
	if _, err := tx.Exec(ctx, lockOrder, bucket, o.Program, o.Redemption); err != nil {
		return fmt.Errorf("lock the order of %s: %w", o.Redemption, err)
	}
	return nil
}

const endOrder = `UPDATE code_orders SET status = $1, sealed = $2, tail = $3, reference = $4, error = $5, next_at = NULL, updated_at = $6
WHERE bucket = $7 AND program_id = $8 AND redemption = $9`

// Deliver keeps what came, sealed. It goes in the transaction of the fact that says so.
func (o *Order) Deliver(ctx context.Context, tx *db.Tx, s Secret, reference string, now time.Time) error {
	k, err := code.MakeKey(ctx, tx, o.Program, now)
	if err != nil {
		return err
	}
	text, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("write what came: %w", err)
	}
	sealed, err := k.Seal("order\n"+o.Redemption, string(text))
	if err != nil {
		return err
	}
	return o.end(ctx, tx, OrderDelivered, sealed, code.Tail(s.Code), reference, "", now)
}

// Fail ends an order that came to nothing.
func (o *Order) Fail(ctx context.Context, tx *db.Tx, why string, now time.Time) error {
	return o.end(ctx, tx, OrderFailed, "", "", o.Reference, why, now)
}

func (o *Order) end(ctx context.Context, tx *db.Tx, status, sealed, tail, reference, why string, now time.Time) error {
	bucket, _ := ids.BucketOf(o.Redemption)
	if _, err := tx.Exec(ctx, endOrder, status, sealed, tail, Clip(reference), Clip(why), now.UnixMicro(), bucket, o.Program, o.Redemption); err != nil {
		return fmt.Errorf("end the order of %s: %w", o.Redemption, err)
	}
	return nil
}

// Clip bounds what others say.
func Clip(s string) string {
	r := []rune(s)
	if len(r) > 200 {
		r = r[:200]
	}
	return string(r)
}

// Open gives what came, in clear: for an answer that shows it to who has it. not_found "code_unknown".
func (o *Order) Open(ctx context.Context, tx *db.Tx) (Secret, error) {
	if o.sealed == "" {
		return Secret{}, errs.NotFound("code_unknown", "The gift card has not come.")
	}
	k, err := code.KeyOf(ctx, tx, o.Program)
	if err != nil {
		return Secret{}, err
	}
	text, err := k.Open("order\n"+o.Redemption, o.sealed)
	if err != nil {
		return Secret{}, fmt.Errorf("open the order of %s: %w", o.Redemption, err)
	}
	var s Secret
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return Secret{}, fmt.Errorf("read the order of %s: %w", o.Redemption, err)
	}
	return s, nil
}

const cancelOrder = `UPDATE code_orders SET status = 'cancelling', next_at = $1, updated_at = $1
WHERE bucket = $2 AND program_id = $3 AND redemption = $4 AND status IN ('waiting', 'sent')`

// Cancel asks the provider to let an order go; what comes of it, the next look says. Conflict "order_over" when it is over.
func (o *Order) Cancel(ctx context.Context, tx *db.Tx, now time.Time) error {
	bucket, _ := ids.BucketOf(o.Redemption)
	res, err := tx.Exec(ctx, cancelOrder, now.UnixMicro(), bucket, o.Program, o.Redemption)
	if err != nil {
		return fmt.Errorf("cancel the order of %s: %w", o.Redemption, err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 1 {
		return err
	}
	if o.Status == OrderCancelling {
		return nil
	}
	return errs.Conflict("order_over", "The order is "+o.Status+": it cannot be called off any more.").With("status", o.Status)
}
