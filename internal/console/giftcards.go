package console

// giftCard is a gift card, as the API tells of it.
type giftCard struct {
	ID string `json:"id"`
}
