package api

import (
	"net/http"

	"lojal.dev/lojal/internal/importer"
)

// table is the contents of the API: every route with its scope and what it is for.
func table() []*Route {
	const (
		members     = "Members"
		purchases   = "Purchases"
		redeeming   = "Redemptions"
		benefits    = "Benefits and plans"
		reaching    = "Challenges and grants"
		hand        = "Balances by hand"
		cards       = "Gift cards and codes"
		claims      = "Claims"
		facts       = "Facts"
		referral    = "Referral"
		partners    = "Partners"
		sharing     = "Sharing"
		recognition = "Recognition"
		houses      = "Households and organizations"
		many        = "Simulation and batches"
		prog        = "Program"
		hooks       = "Webhooks"
		imports     = "Imports"
		keys        = "Keys and audit"
		people      = "Staff"
	)
	const (
		mem = "ext:4711"
		pur = "till-1:R-1001"
		wtg = "wtg_01k9zjq3hfe1f8m6v7j0q3x5c4"
		gft = "gft_01k9zjq3hfe1f8m6v7j0q3x5c4"
		hou = "hou_01k9zjq3hfe1f8m6v7j0q3x5c4"
		org = "org_01k9zjq3hfe1f8m6v7j0q3x5c4"
		red = "red_01k9zjq3hfe1f8m6v7j0q3x5c4"
		shr = "shr_01k9zjq3hfe1f8m6v7j0q3x5c4"
		rec = "rec_01k9zjq3hfe1f8m6v7j0q3x5c4"
		cpn = "cpn_01k9zjq3hfe1f8m6v7j0q3x5c4"
		use = "fct_01k9zjq3hfe1f8m6v7j0q3x5c4"
		fct = "pur_01k9zjq3hfe1f8m6v7j0q3x5c4"
		whk = "whk_01k9zjq3hfe1f8m6v7j0q3x5c4"
		evt = "evt_01k9zjq3hfe1f8m6v7j0q3x5c4"
		imp = "imp_01k9zjq3hfe1f8m6v7j0q3x5c4"
		stf = "stf_01k9zjq3hfe1f8m6v7j0q3x5c4"
	)
	again := []Also{{http.StatusOK, "The same was recorded before under its source and external id: this is what was decided then."}}
	guest := []Also{{http.StatusOK, "The same was recorded before under its source and external id, or it is the purchase of a guest, which is decided and not kept."}}
	return []*Route{
		// Members
		route("POST", "/v1/members", "members:write", (*Server).enrol, About{
			Tag: members, Summary: "Enrol a member", Status: http.StatusCreated,
			Text: "Makes a member with a profile and identifiers, and records the enrolment, which may earn something. An identifier that another member has is a conflict.",
			Body: `{"given_name": "Kari", "family_name": "Nordmann", "phone": "+47 900 00 001", "external_id": "4711", "language": "nb", "identifiers": [{"kind": "card", "value": "10010001"}]}`,
		}),
		route("GET", "/v1/members", "members:read", (*Server).listMembers, About{
			Tag: members, Summary: "List members, or look one up", Query: "phone=%2B4790000001",
			Text: "With an identifier (`?phone=`, `?card=`, `?email=`, `?ext=`, or a kind of the program's own) the list holds the one member who has it, or nobody. Without one it holds all, in the order of their ids; `?q=` searches.",
		}),
		route("GET", "/v1/members/duplicates", "members:read", (*Server).listDuplicates, About{
			Tag: members, Summary: "List members that look like one",
			Text: "Pairs that share a name and birth date, an e-mail address, or a name and postcode. It reads all members: it is for now and then.",
		}),
		route("GET", "/v1/members/{member}", "members:read", (*Server).getMember, About{
			Tag: members, Summary: "Get a member", Example: []string{mem},
			Text: "Without `?include=` the answer has an entity tag for If-None-Match and If-Match.",
		}),
		route("PATCH", "/v1/members/{member}", "members:write", (*Server).patchMember, About{
			Tag: members, Summary: "Change a member's profile", Example: []string{mem}, Merge: true, Problems: []int{http.StatusPreconditionFailed},
			Text: "A merge patch (RFC 7396): what is left out stays, null takes away. With If-Match it changes only what was read.",
			Body: `{"email": "kari@example.org", "postcode": null, "attributes": {"favourite": "mocha"}}`,
		}),
		route("POST", "/v1/members/{member}/identifiers", "members:write", (*Server).addIdentifier, About{
			Tag: members, Summary: "Give a member an identifier", Status: http.StatusCreated, Example: []string{mem},
			Text: "Purchases that wait for it are recorded: they were told by a key that may record purchases, and this says whose they are. So they stand in the name of `system`.",
			Body: `{"kind": "card", "value": "10010002"}`,
		}),
		route("DELETE", "/v1/members/{member}/identifiers/{kind}/{value}", "members:write", (*Server).removeIdentifier, About{
			Tag: members, Summary: "Take an identifier away", Example: []string{mem, "card", "10010002"},
		}),
		route("POST", "/v1/members/{member}/card", "members:write", (*Server).giveCard, About{
			Tag: members, Summary: "Give a member a card number", Status: http.StatusCreated, Example: []string{mem},
			Text: "Draws a number of 16 digits for who has no card: what the member's pages, a wallet pass or a letter show as a bar code. Who has one keeps it.",
		}),
		route("GET", "/v1/members/{member}/wallet", "members:read", (*Server).walletWays, About{
			Tag: members, Summary: "Say in which wallets a card can be kept", Example: []string{mem}, Text: "Which wallets of phones are set up here, and the number that the card shows.",
		}),
		raw[walletCardIn, string]("GET", "/v1/members/{member}/wallet/apple", "members:read", (*Server).walletApple, About{
			Tag: members, Summary: "Get a card for Apple Wallet", Example: []string{mem}, Query: "lang=nb", Media: "application/vnd.apple.pkpass", Problems: []int{http.StatusConflict},
			Text: "A signed pass with the member's name, card number as a QR code, balance and tier, in nb, sv, da and en by the phone's setting. It shows the balance of now and is not brought up to date by itself. It is refused where the operator has set up no certificate, and for a member without a card.",
		}),
		route("GET", "/v1/members/{member}/wallet/google", "members:read", (*Server).walletGoogle, About{
			Tag: members, Summary: "Get a link for Google Wallet", Example: []string{mem}, Query: "lang=nb", Problems: []int{http.StatusConflict}, Text: "Whoever opens it is asked whether to keep the card: give it to the member alone. It has the same on it, in the language that is asked for.",
		}),
		route("GET", "/v1/members/{member}/balances", "members:read", (*Server).getBalances, About{
			Tag: members, Summary: "Get balances with their lots", Example: []string{mem},
			Text: "What the member has of each unit, what it is worth, when it ends. `?at=` in the past gives what was held then, in business time and without lots; in the future what would be left if nothing happened.",
		}),
		route("GET", "/v1/members/{member}/forecast", "members:read", (*Server).getForecast, About{
			Tag: members, Summary: "Look ahead", Example: []string{mem}, Query: "lang=nb",
			Text: "What the member will have at `?until=` if nothing happens but time: growth, gifts of the calendar, what is released and what ends, decided as it will be, and not kept.",
		}),
		route("GET", "/v1/members/{member}/targets", "members:read", (*Server).getTargets, About{
			Tag: members, Summary: "Get progress towards rebates", Example: []string{mem}, Query: "lang=nb",
			Text: "For each rule that gives a percent of what is bought in a period: how much counts so far, what it would give, what is missing to the next step; and the periods that are over, as they stand after returns and late receipts.",
		}),
		route("GET", "/v1/members/{member}/postings", "members:read", (*Server).listPostings, About{
			Tag: members, Summary: "List postings", Text: "Every movement between accounts, the newest first: the sum of a member's postings is the balance.", Example: []string{mem},
		}),
		route("GET", "/v1/members/{member}/facts", "members:read", (*Server).listFacts, About{
			Tag: members, Summary: "List what happened", Text: "The member's timeline, the newest first.", Example: []string{mem},
		}),
		route("GET", "/v1/members/{member}/explanations", "members:read", (*Server).listExplanations, About{
			Tag: members, Summary: "List explanations", Text: "Why each fact was decided as it was, the newest first, in nb, sv, da or en.", Example: []string{mem}, Query: "lang=nb",
		}),
		route("GET", "/v1/members/{member}/tiers", "members:read", (*Server).getTiers, About{
			Tag: members, Summary: "Get tiers and progress", Text: "Where the member stands in each tier set, what is missing to the next tier and until when.", Example: []string{mem},
		}),
		route("POST", "/v1/members/{member}/tiers", "adjustments:write", (*Server).grantTier, About{
			Tag: members, Summary: "Set a tier by hand", Status: http.StatusCreated, Example: []string{mem},
			Text: "Sets a floor: the member has at least this tier until a time, or for good. An empty tier lifts the floor.",
			Body: `{"set": "club", "tier": "gold", "until": "2027-12-31T23:59:59+01:00", "reason": "Partner agreement"}`,
		}),
		route("GET", "/v1/members/{member}/redemptions", "redemptions:read", (*Server).listRedemptions, About{
			Tag: redeeming, Summary: "List a member's redemptions", Example: []string{mem},
		}),
		route("POST", "/v1/members/{member}/merge", "members:write", (*Server).merge, About{
			Tag: members, Summary: "Merge a member into another", Status: http.StatusCreated, Example: []string{mem},
			Text: "Everything moves: points with their ends, debt, counters, tiers, identifiers. What comes for the merged member afterwards goes to the survivor. It cannot be undone.",
			Body: `{"into": "card:10010009", "reason": "Same person, two cards"}`,
		}),
		route("POST", "/v1/members/{member}/block", "members:write", (*Server).block, About{
			Tag: members, Summary: "Block a member", Text: "A blocked member earns and spends nothing.", Status: http.StatusCreated, Example: []string{mem},
			Body: `{"reason": "Card reported stolen"}`,
		}),
		route("POST", "/v1/members/{member}/unblock", "members:write", (*Server).unblock, About{
			Tag: members, Summary: "Unblock a member", Status: http.StatusCreated, Example: []string{mem}, Body: `{"reason": "Card found"}`,
		}),
		route("POST", "/v1/members/{member}/close", "members:write", (*Server).closeMember, About{
			Tag: members, Summary: "Close a membership", Text: "What the member holds is taken out of the books. It cannot be undone.", Status: http.StatusCreated, Example: []string{mem},
			Body: `{"reason": "Asked to leave"}`,
		}),

		// Purchases
		route("POST", "/v1/purchases", "purchases:write", (*Server).recordPurchase, About{
			Tag: purchases, Summary: "Record a purchase", Status: http.StatusCreated, Also: guest,
			Text: "Decides what the purchase earns by the program version in force at its business time. Give `source` and `external_id` (the till and its receipt number): the same receipt counts once, however often it is sent. A purchase without a member is decided and not kept. `spend` redeems rewards in the same stroke. `codes` are what lowers the price: coupons and vouchers by their codes, benefits by their ids. They are used with the purchase or not at all; the answer says under `codes` what each took off the goods, and that is not to be in the amounts that are sent.",
			Body: `{"member": "ext:4711", "source": "till-1", "external_id": "R-1001", "occurred_at": "2026-11-20T14:03:00+01:00", "store": "oslo-1", "lines": [{"id": "1", "sku": "C-01", "name": "Cappuccino", "category": "coffee", "quantity": 2, "amount": "98.00", "tax": "12.78"}, {"id": "2", "sku": "B-07", "name": "Bun", "category": "food/bread", "amount": "42.00"}], "payments": [{"means": "card", "amount": "140.00"}]}`,
		}),
		route("PUT", "/v1/purchases/{source}/{external_id}", "purchases:write", (*Server).putPurchase, About{
			Tag: purchases, Summary: "Record a purchase under its receipt number", Status: http.StatusCreated, Also: again, Example: []string{"till-1", "R-1002"},
			Text: "The same as POST with `source` and `external_id` in the address: sending it again changes nothing.",
			Body: `{"member": "ext:4711", "amount": "59.00"}`,
		}),
		route("GET", "/v1/purchases/{purchase}", "purchases:read", (*Server).getPurchase, About{
			Tag: purchases, Summary: "Get a purchase", Text: "With what it earned, what is left of each line, and its returns.", Example: []string{pur},
		}),
		route("GET", "/v1/purchases/{source}/{external_id}", "purchases:read", (*Server).getReceipt, About{
			Tag: purchases, Summary: "Get a purchase by its receipt number", Example: []string{"till-1", "R-1001"},
		}),
		route("POST", "/v1/purchases/{purchase}/returns", "purchases:write", (*Server).recordReturn, About{
			Tag: purchases, Summary: "Bring goods back", Status: http.StatusCreated, Also: again, Example: []string{pur},
			Text: "By line with a quantity or an amount, by an amount alone, or with neither all that is left; in any number of parts, at any time. Each part takes back its share of what was earned, and the last one the rest, so that all returns together come to exactly the whole. Points that were spent come back to the lots they left.",
			Body: `{"source": "till-1", "external_id": "R-1040", "lines": [{"line": "1", "quantity": 1}], "reason": "Cold"}`,
		}),
		route("GET", "/v1/purchases/{purchase}/returns", "purchases:read", (*Server).listReturns, About{
			Tag: purchases, Summary: "List a purchase's returns", Example: []string{pur},
		}),

		// Households and organizations
		route("POST", "/v1/households", "members:write", (*Server).openHousehold, About{
			Tag: houses, Summary: "Make a household", Status: http.StatusCreated, Also: again, Body: `{"owner": "ext:4711", "name": "The Hansens"}`,
			Text: "A member owns it and may invite others. Points stay in each one's own books; `household: true` in a redemption or in what a purchase spends lets the others pay what the member lacks, each the same part of theirs.",
		}),
		route("GET", "/v1/households", "members:read", (*Server).listHouseholds, About{
			Tag: houses, Summary: "List households", Text: "In the order in which they were made, closed ones too.",
		}),
		route("GET", "/v1/households/{house}", "members:read", (*Server).getHousehold, About{
			Tag: houses, Summary: "Get a household", Example: []string{hou},
			Text: "Who belongs to it, what can be spent together, and what each takes along who leaves now.",
		}),
		route("POST", "/v1/households/{house}/steps", "members:write", (*Server).householdStep, About{
			Tag: houses, Summary: "Invite, join, leave and more", Status: http.StatusCreated, Also: again, Example: []string{hou}, Body: `{"do": "invite", "member": "ext:4721", "by": "ext:4711"}`,
			Text: "`do` is `invite`, `join` (by who was invited: nobody is put in), `no` (declined, or taken back), `leave`, `remove` or `role`. `by` is the member who does it, staff without it.",
		}),
		route("POST", "/v1/households/{house}/close", "members:write", (*Server).closeHousehold, About{
			Tag: houses, Summary: "Close a household", Status: http.StatusCreated, Example: []string{hou}, Body: `{"reason": "They moved apart"}`,
			Text: "It has no books to settle: everybody keeps what is theirs. It cannot be undone.",
		}),
		route("POST", "/v1/organizations", "members:write", (*Server).openOrganization, About{
			Tag: houses, Summary: "Make an organization", Status: http.StatusCreated, Also: again, Body: `{"owner": "ext:4722", "name": "Fjord Sport AS", "identifiers": [{"kind": "ext", "value": "customer-881"}]}`,
			Text: "A company with books of its own. What its people buy from then on is the organization's, unless their role may not buy; a purchase may also name it as its member, by its id or an identifier. Its profile and identifiers are changed as a member's are.",
		}),
		route("GET", "/v1/organizations", "members:read", (*Server).listOrganizations, About{
			Tag: houses, Summary: "List organizations", Text: "In the order in which they were made, closed ones too.",
		}),
		route("GET", "/v1/organizations/{house}", "members:read", (*Server).getOrganization, About{
			Tag: houses, Summary: "Get an organization", Example: []string{org}, Text: "Its people with their roles, its balances and its tiers. Its books are read as a member's are, with its id in the member's place: /v1/members/{member} with balances, facts, postings, explanations, tiers, grants, redemptions and more.",
		}),
		route("POST", "/v1/organizations/{house}/steps", "members:write", (*Server).organizationStep, About{
			Tag: houses, Summary: "Invite people, give them roles and more", Status: http.StatusCreated, Also: again, Example: []string{org}, Body: `{"do": "invite", "member": "ext:4721", "role": "buyer", "by": "ext:4722"}`,
			Text: "As for a household; `role` is one of the program's.",
		}),
		route("POST", "/v1/organizations/{house}/close", "members:write", (*Server).closeOrganization, About{
			Tag: houses, Summary: "Close an organization", Status: http.StatusCreated, Example: []string{org}, Body: `{"reason": "The agreement ended"}`,
			Text: "What is in its books is taken out of them, as when a membership is closed. It cannot be undone.",
		}),
		route("GET", "/v1/members/{member}/houses", "members:read", (*Server).memberHouses, About{
			Tag: houses, Summary: "Tell what a member belongs to", Example: []string{mem}, Text: "The household and the organization, as far as there are any.",
		}),

		// Gift cards and codes
		route("POST", "/v1/gift-cards", "giftcards:write", (*Server).issueCard, About{
			Tag: cards, Summary: "Issue a gift card", Status: http.StatusCreated, Also: again,
			Text: "Makes a card with money on it and gives its code (and PIN, where the program has them), which are in this answer and nowhere else. `inactive` makes a card that is worth nothing until it is activated, `sample` one to look at.",
			Body: `{"amount": "500.00", "to": "Ola", "from": "Kari", "greeting": "Gratulerer med dagen!", "language": "nb", "source": "shop", "external_id": "order-88/1"}`,
		}),
		route("GET", "/v1/gift-cards", "giftcards:read", (*Server).listCards, About{Tag: cards, Summary: "List gift cards", Text: "In the order in which they were made, or with `?order=newest` the newest first; `?batch=` keeps to one batch, `?tail=` to those whose code ends so."}),
		route("POST", "/v1/gift-cards/batches", "giftcards:write", (*Server).issueBatch, About{
			Tag: cards, Summary: "Issue many gift cards", Status: http.StatusCreated, Batch: true,
			Text: "Up to 1,000 cards with a greeting for all or for each. Each card is one of its batch by its `reference`, or by its place in the list: the same list again makes none twice, and shows no code twice. Two cards of one list have different references.",
			Body: `{"batch": "christmas-2026", "amount": "300.00", "greeting": "God jul fra oss alle", "cards": [{"to": "Ola", "to_email": "ola@example.org", "reference": "emp-1"}, {"to": "Kari", "to_email": "kari@example.org", "reference": "emp-2"}]}`,
		}),
		route("POST", "/v1/gift-cards/pay", "redemptions:write", (*Server).payCard, About{
			Tag: cards, Summary: "Pay with a gift card", Status: http.StatusCreated, Also: again,
			Text: "By its code. With `max` as much of `total` as there is. With `reserve` the amount is held until the redemption is committed or cancelled. What was paid is given back by refunding the redemption. Many wrong codes are 429.",
			Body: `{"code": "7KXQ-2M9D-4VWT-R80HE", "amount": "120.00", "source": "till-1", "external_id": "R-2001/card"}`,
		}),
		route("GET", "/v1/gift-cards/{card}", "giftcards:read", (*Server).getCard, About{Tag: cards, Summary: "Get a gift card", Example: []string{gft}}),
		route("GET", "/v1/gift-cards/{card}/facts", "giftcards:read", (*Server).cardFacts, About{
			Tag: cards, Summary: "List a gift card's facts", Example: []string{gft}, Text: "Its history, the newest first. `?include=explanation` says why.",
		}),
		route("POST", "/v1/gift-cards/{card}/loads", "giftcards:write", (*Server).loadCard, About{
			Tag: cards, Summary: "Top a gift card up", Status: http.StatusCreated, Also: again, Example: []string{gft}, Body: `{"amount": "200.00"}`,
			Text: "What is loaded has a time of its own.",
		}),
		route("POST", "/v1/gift-cards/{card}/activate", "giftcards:write", (*Server).activateCard, About{
			Tag: cards, Summary: "Activate a gift card", Status: http.StatusCreated, Also: again, Example: []string{gft},
			Text: "What is on it can be used from now on, and its time begins.",
		}),
		route("POST", "/v1/gift-cards/{card}/status", "giftcards:write", (*Server).setCardStatus, About{
			Tag: cards, Summary: "Block a gift card, free it, or call it off", Status: http.StatusCreated, Also: again, Example: []string{gft},
			Text: "A closed card holds nothing, for good: for a sale that was refunded.", Body: `{"to": "blocked", "reason": "Reported lost"}`,
		}),
		route("POST", "/v1/gift-cards/{card}/erase", "giftcards:write", (*Server).eraseCard, About{
			Tag: cards, Summary: "Erase what a gift card says", Example: []string{gft},
			Text: "Forgets who the card is for, who gives it and what was written on it. What is on it, its code and its look stay. It cannot be undone.",
		}),
		route("POST", "/v1/gift-cards/{card}/code", "giftcards:write", (*Server).renewCard, About{
			Tag: cards, Summary: "Give a gift card another code", Status: http.StatusCreated, Example: []string{gft},
			Text: "For a code that was lost or seen by others: the old one opens nothing from then on. Whoever sends cards asks for the code as the message is made.",
		}),
		route("POST", "/v1/coupons/batches", "giftcards:write", (*Server).issueCoupons, About{
			Tag: cards, Summary: "Issue codes of a coupon", Status: http.StatusCreated, Batch: true,
			Text: "Up to 1,000 codes for whoever has them, each of 80 random bits; they are in this answer and nowhere else. A batch is called by its name and its codes by their numbers: the same again makes none twice. `first` goes on with a batch.",
			Body: `{"batch": "sorry-2026", "coupon": "sorry", "count": 2}`,
		}),
		route("GET", "/v1/coupons", "giftcards:read", (*Server).listCoupons, About{Tag: cards, Summary: "List codes of coupons", Text: "In the order of their ids, without the codes themselves; `?batch=` keeps to one batch."}),
		route("POST", "/v1/coupons/batches/{batch}/cancel", "giftcards:write", (*Server).cancelCoupons, About{
			Tag: cards, Summary: "Call the codes of a batch off", Example: []string{"sorry-2026"},
			Text: "Up to 1,000 at a time: while the answer has `after`, send it to go on. What was used stays used.", Body: `{"reason": "Sent to the wrong list"}`,
		}),
		route("POST", "/v1/coupons/{code}/status", "giftcards:write", (*Server).setCouponStatus, About{
			Tag: cards, Summary: "Block a code of a coupon, free it, or call it off", Status: http.StatusCreated, Also: again, Example: []string{cpn},
			Body: `{"to": "blocked", "reason": "Seen in a forum"}`,
		}),
		route("POST", "/v1/coupons/use", "redemptions:write", (*Server).useCoupon, About{
			Tag: cards, Summary: "Use a coupon", Status: http.StatusCreated, Also: again,
			Text: "By its word, for a member, or by a code for whoever has it. `with` names the other codes of the purchase: what does not go together is refused. The answer says what it takes off the total. Many wrong codes are 429.",
			Body: `{"code": "SUMMER10", "member": "ext:4711", "total": "400.00", "source": "till-1", "external_id": "R-2003/coupon"}`,
		}),
		route("POST", "/v1/coupons/uses/{use}/undo", "redemptions:write", (*Server).undoCoupon, About{
			Tag: cards, Summary: "Take a use of a coupon back", Status: http.StatusCreated, Also: again, Example: []string{use},
			Text: "The coupon can be used again, and what its limits counted is free: the purchase was cancelled, or came back.",
		}),
		route("POST", "/v1/codes/check", "redemptions:read", (*Server).checkCodes, About{
			Tag: cards, Summary: "Check codes", Text: "What vouchers, coupons and gift cards are worth, alone or together: with `total` what each takes off it, vouchers and coupons before gift cards, and what is left to pay. Nothing is used. Many wrong codes are 429.",
			Body: `{"codes": [{"code": "7KXQ-2M9D-4VWT-R80HE"}], "total": "400.00"}`,
		}),
		route("POST", "/v1/vouchers/use", "redemptions:write", (*Server).useVoucher, About{
			Tag: cards, Summary: "Use a voucher", Status: http.StatusCreated, Also: again,
			Text: "By its code, or by its redemption and the member who has it. `with` names the other codes of the purchase: a voucher that stands alone, or is of the same group as one of them, is refused. The answer says what it takes off the total.",
			Body: `{"code": "9MRT-2M9D-4VWT-R80HE", "member": "ext:4711", "total": "400.00", "source": "till-1", "external_id": "R-2002/voucher"}`,
		}),

		// Pools of codes
		route("GET", "/v1/pools", "giftcards:read", (*Server).listPools, About{
			Tag: cards, Summary: "List the pools of codes", Text: "How many codes of others were loaded, handed out, and are left.",
		}),
		route("POST", "/v1/pools/{pool}/codes", "giftcards:write", (*Server).loadPool, About{
			Tag: cards, Summary: "Load codes into a pool", Status: http.StatusCreated, Batch: true, Example: []string{"cinema"},
			Text: "Codes of somebody else, of which each redemption hands one out. A code that is in the pool already is not added again. They are kept sealed.",
			Body: `{"batch": "autumn", "codes": [{"code": "FILM-7Q2M-0001", "ends_at": "2027-12-31T23:59:59+01:00"}]}`,
		}),

		// Claims
		route("POST", "/v1/claims", "purchases:write", (*Server).keepPurchase, About{
			Tag: claims, Summary: "Keep a purchase for a member who comes later", Status: http.StatusCreated, Also: again,
			Text: "For a receipt without a member: the answer has a code to print, and whoever claims it in time gets what the purchase earns as of its own day. With `identifier`, such as the token of a payment card, it is recorded at once if a member has it, and else waits until somebody links it. `source` and `external_id` are required: by them the receipt counts once.",
			Body: `{"source": "till-1", "external_id": "R-3001", "amount": "180.00"}`,
		}),
		route("POST", "/v1/claims/claim", "purchases:write", (*Server).claimReceipt, About{
			Tag: claims, Summary: "Claim a receipt", Status: http.StatusCreated, Also: again,
			Text: "Records the purchase for the member. A receipt that another has claimed is 409 receipt_claimed; the same member gets the first decision again. Many wrong codes are 429.",
			Body: `{"code": "7KXQ-2M9D-4VWT-R80HE", "member": "ext:4711"}`,
		}),
		route("GET", "/v1/claims/{claim}", "purchases:read", (*Server).getWaiting, About{Tag: claims, Summary: "Get a purchase that waits", Example: []string{wtg}}),
		route("POST", "/v1/claims/{claim}/cancel", "purchases:write", (*Server).cancelWaiting, About{
			Tag: claims, Summary: "Call a purchase off that waits", Example: []string{wtg}, Text: "The goods came back before anybody claimed it.",
		}),
		route("POST", "/v1/claims/{claim}/returns", "purchases:write", (*Server).takeBack, About{
			Tag: claims, Summary: "Take goods back of a purchase that waits", Status: http.StatusCreated, Also: again, Example: []string{wtg},
			Text: "Of all that is left, of lines, or of an amount, as of any purchase; `claim` may also be SOURCE:EXTERNAL_ID. It is kept with the purchase: who claims the receipt gets what is left, and one of which nothing is left gives nothing. `source` and `external_id` are required: by them the return counts once. Where somebody has claimed the receipt already, it is recorded as a return of that purchase, whose id is in `return`.",
			Body: `{"source": "till-1", "external_id": "R-3001/back"}`,
		}),
		route("POST", "/v1/members/{member}/claims", "purchases:write", (*Server).claimLinked, About{
			Tag: claims, Summary: "Record what waits for a member's identifiers", Example: []string{mem},
			Text: "It is done by itself: at once where the member is given the identifier over the API, and a moment later where it comes with the enrolment, a changed profile, an import or a merge. This does it now, and says what came of it.",
		}),

		// Activities
		route("POST", "/v1/activities", "activities:write", (*Server).recordActivity, About{
			Tag: "Activities", Summary: "Record an activity", Status: http.StatusCreated, Also: again,
			Text: "Something a member did, of a kind that the program declares, with its properties.",
			Body: `{"member": "ext:4711", "kind": "own_cup", "source": "app", "external_id": "scan-77"}`,
		}),

		// Redemptions
		route("POST", "/v1/redemptions", "redemptions:write", (*Server).redeem, About{
			Tag: redeeming, Summary: "Redeem a reward, or reserve it", Status: http.StatusCreated, Also: again,
			Text: "Reserves: the points are held until the redemption is committed or cancelled, and let go by themselves when its time runs out. With `commit` it is done in one step. What cannot be had is 409 with the reason: balance_too_low, out_of_stock, limit_reached.",
			Body: `{"member": "ext:4711", "reward": "coffee", "quantity": 1, "hold_seconds": 300}`,
		}),
		route("GET", "/v1/redemptions", "redemptions:read", (*Server).allRedemptions, About{
			Tag: redeeming, Summary: "List redemptions", Query: "status=committed",
			Text: "Of rewards, of all members, the newest first. `?status=` keeps to reserved, committed, cancelled, lapsed or refunded, or with to_hand to what was ordered and is not delivered yet; `?reward=` to one reward. A page looks back over a bounded part of the history, so it may hold few, or none: while there is a next_cursor there is more.",
		}),
		route("GET", "/v1/redemptions/{redemption}", "redemptions:read", (*Server).getRedemption, About{
			Tag: redeeming, Summary: "Get a redemption", Example: []string{red},
		}),
		route("POST", "/v1/redemptions/{redemption}/fulfilment", "redemptions:write", (*Server).fulfil, About{
			Tag: redeeming, Summary: "Say how far what was ordered is", Status: http.StatusCreated, Also: again, Example: []string{red},
			Text: "For goods, services, seats, donations and gift cards: ordered becomes packed, sent, delivered; returned and failed give the points back, and the money that was paid with them, unless `keep` is set.",
			Body: `{"to": "sent", "reference": "370722150012345678"}`,
		}),
		route("POST", "/v1/redemptions/{redemption}/code", "redemptions:write", (*Server).showCode, About{
			Tag: redeeming, Summary: "Show the code that was handed out", Example: []string{red},
			Text: "A code of somebody else, out of a pool or bought, for the member who has it. It is kept sealed, and is in no list, event or log.",
		}),
		route("GET", "/v1/orders", "redemptions:read", (*Server).listOrders, About{
			Tag: redeeming, Summary: "List the orders of gift cards", Query: "status=open",
			Text: "Of rewards that are gift cards, the oldest first. `?status=open` keeps to those that are not over, `?provider=` to those that are bought from one.",
		}),
		route("GET", "/v1/redemptions/{redemption}/order", "redemptions:read", (*Server).getOrder, About{
			Tag: redeeming, Summary: "Get the order of a gift card", Example: []string{red},
			Text: "Of a reward that is a gift card: how far its order is, and what the provider said last.",
		}),
		route("POST", "/v1/redemptions/{redemption}/order/cancel", "redemptions:write", (*Server).cancelOrder, About{
			Tag: redeeming, Summary: "Call the order of a gift card off", Status: http.StatusAccepted, Example: []string{red},
			Text: "The provider is asked to let it go. What comes of it is told by fulfilment.failed, and the points are back then, or by fulfilment.delivered where it was too late.",
		}),
		route("POST", "/v1/redemptions/{redemption}/voucher/undo", "redemptions:write", (*Server).undoVoucher, About{
			Tag: redeeming, Summary: "Take a use of a voucher back", Status: http.StatusCreated, Also: again, Example: []string{red},
			Text: "The voucher can be used again: the purchase was cancelled, or came back.",
		}),
		route("POST", "/v1/redemptions/{redemption}/voucher/void", "redemptions:write", (*Server).voidVoucher, About{
			Tag: redeeming, Summary: "Call a voucher off", Status: http.StatusCreated, Also: again, Example: []string{red},
		}),
		route("POST", "/v1/redemptions/{redemption}/voucher/code", "redemptions:write", (*Server).renewVoucher, About{
			Tag: redeeming, Summary: "Give a voucher another code", Status: http.StatusCreated, Also: again, Example: []string{red},
			Text: "For a code that was lost, and for a voucher that was handed over by time (`status` is waiting), whose code is drawn here: the answer shows the new one, and an old one opens nothing from then on. Only a keyed hash of it is kept.",
		}),
		route("POST", "/v1/redemptions/{redemption}/commit", "redemptions:write", (*Server).commitRedemption, About{
			Tag: redeeming, Summary: "Commit a redemption", Text: "The points are spent and what the reward gives is handed over.", Status: http.StatusCreated, Also: again, Example: []string{red},
		}),
		route("POST", "/v1/redemptions/{redemption}/cancel", "redemptions:write", (*Server).cancelRedemption, About{
			Tag: redeeming, Summary: "Cancel a reservation", Text: "The points are free again.", Status: http.StatusCreated, Also: again, Example: []string{red},
		}),
		route("POST", "/v1/redemptions/{redemption}/refund", "redemptions:write", (*Server).refundRedemption, About{
			Tag: redeeming, Summary: "Refund a redemption", Text: "The points come back to the lots they left, with their old ends.", Status: http.StatusCreated, Also: again, Example: []string{red},
			Body: `{"reason": "Machine broken"}`,
		}),

		// Rewards
		route("GET", "/v1/rewards", "rewards:read", (*Server).listRewards, About{
			Tag: "Rewards", Summary: "List rewards", Query: "member=ext:4711", Problems: []int{http.StatusNotFound},
			Text: "With price and what is left. `?member=` says of each whether that member may have one now, and if not why: for who acts for an organization, out of its books, as a redemption would be, unless `?own=true`.",
		}),
		route("GET", "/v1/rewards/{reward}", "rewards:read", (*Server).getReward, About{
			Tag: "Rewards", Summary: "Get a reward", Example: []string{"tenth"}, Query: "member=ext:4711",
		}),

		// Raffles
		route("GET", "/v1/raffles", "rewards:read", (*Server).listRaffles, About{
			Tag: "Rewards", Summary: "List raffles", Text: "The latest draw first, before them those of the program that no server has committed to (`planned`); each with the hash of its seed, which is told before the draw, and once it was drawn with the seed and the winners.",
		}),
		route("GET", "/v1/raffles/{reward}", "rewards:read", (*Server).getRaffle, About{
			Tag: "Rewards", Summary: "Get a raffle", Example: []string{"ticket"},
			Text: "Once it was drawn with all tickets that took part, so that anybody can work the winners out again by the rule of docs/rewards.md.",
		}),
		route("POST", "/v1/raffles/{reward}/draw", "adjustments:write", (*Server).drawRaffle, About{
			Tag: "Rewards", Summary: "Draw a raffle", Problems: []int{http.StatusConflict}, Example: []string{"ticket"},
			Text: "It is drawn by itself a minute after its time; this asks for it at once, and again for a prize that could not be given. Asked again it answers with the same winners.",
		}),

		// Benefits and plans
		route("GET", "/v1/members/{member}/benefits", "benefits:read", (*Server).listBenefits, About{
			Tag: benefits, Summary: "List a member's benefits", Example: []string{mem},
			Text: "Of every benefit whether the member may have it now, at what value, since when and until when; and if not, why, and what is missing: 230 kroner to Gold.",
		}),
		route("GET", "/v1/members/{member}/benefits/{benefit}", "benefits:read", (*Server).getBenefit, About{
			Tag: benefits, Summary: "Ask whether a member may have a benefit", Example: []string{mem, "free_refill"}, Query: "opens=2026-12-01T10:00:00%2B01:00",
			Text: "The question of a till or a shop, answered in one call. A member who may not have it is no error: see `available`. With `?opens=` it says of a benefit that comes ahead of others when something opens for this member.",
		}),
		route("POST", "/v1/members/{member}/benefits/{benefit}/uses", "benefits:write", (*Server).useBenefit, About{
			Tag: benefits, Summary: "Record that a benefit was used", Status: http.StatusCreated, Also: again, Example: []string{mem, "free_refill"},
			Text: "For benefits that may be used a limited number of times. One that the member may not have now is 409 benefit_not_available, with the reason in `why`.",
			Body: `{"source": "till-1", "external_id": "U-1", "store": "oslo-1"}`,
		}),
		route("POST", "/v1/benefits/uses/{use}/undo", "benefits:write", (*Server).undoUse, About{
			Tag: benefits, Summary: "Take a use of a benefit back", Status: http.StatusCreated, Also: again, Example: []string{use},
			Text: "What its limits counted is free, what was used up of a grant is there again unless it has ended, and thanks for something that was passed on go back with its first use. Once: again is 409 undone_already.",
			Body: `{"reason": "The visit was called off"}`,
		}),
		route("GET", "/v1/members/{member}/plans", "plans:read", (*Server).listPlans, About{
			Tag: benefits, Summary: "List a member's plans", Text: "Every plan of the program, and where the member stands in it.", Example: []string{mem},
		}),
		route("POST", "/v1/plan-events", "plans:write", (*Server).recordPlanEvent, About{
			Tag: benefits, Summary: "Tell what happened to a plan", Status: http.StatusCreated, Also: again,
			Text: "Billing is done elsewhere and tells here what came of it. Give `source` and `external_id` (the invoice's number): the same event counts once, however often it is sent. Nothing is renewed by time alone: a period that ends unpaid goes over into the grace, and then the plan ends.",
			Body: `{"member": "ext:4711", "plan": "plus", "what": "started", "source": "billing", "external_id": "sub-17"}`,
		}),
		// Challenges and grants
		route("GET", "/v1/members/{member}/challenges", "members:read", (*Server).listChallenges, About{
			Tag: reaching, Summary: "List a member's challenges", Example: []string{mem},
			Text: "Where the member stands in each challenge of the program: what counts, what is missing, until when, in figures and in words; badges; what was found of a set.",
		}),
		route("POST", "/v1/members/{member}/challenges/{challenge}", "members:write", (*Server).askChallenge, About{
			Tag: reaching, Summary: "Join or leave a challenge", Status: http.StatusCreated, Example: []string{mem, "coffee-card"}, Also: again,
			Text: "`join` takes part in a challenge that asks for it, from now on; `show` is the name under which the member wants to be in its leaderboard, and empty takes them out of it.",
			Body: `{"show": "Kari N."}`,
		}),
		route("GET", "/v1/challenges/{challenge}/leaderboard", "members:read", (*Server).leaderboard, About{
			Tag: reaching, Summary: "Read a leaderboard", Example: []string{"coffee-card"}, Text: "Only members who asked to be shown, by all that they counted in this window; those with the same share a place. It is what the counters say at this moment.",
		}),
		route("GET", "/v1/members/{member}/challenges/{challenge}/place", "members:read", (*Server).ownPlace, About{
			Tag: reaching, Summary: "Read a member's place in a leaderboard", Example: []string{mem, "coffee-card"},
			Text: "How many are in it, and how much more the next better place has. Who did not ask to be shown, or has counted nothing in this window, is in none.",
		}),
		route("GET", "/v1/members/{member}/grants", "members:read", (*Server).listGrants, About{
			Tag: reaching, Summary: "List what a member may have", Example: []string{mem},
			Text: "Rewards that were won or given and are not used up: a redemption takes them before points. What was used is among the redemptions.",
		}),
		route("POST", "/v1/members/{member}/grants", "adjustments:write", (*Server).give, About{
			Tag: reaching, Summary: "Give a reward or a benefit by hand", Status: http.StatusCreated, Example: []string{mem}, Also: again,
			Body: `{"reward": "coffee", "uses": 2, "ends_at": "2027-12-31T23:59:59+01:00", "reason": "The machine was broken"}`,
		}),
		route("POST", "/v1/members/{member}/grants/{grant}/take-back", "adjustments:write", (*Server).takeGrant, About{
			Tag: reaching, Summary: "Take a grant back", Status: http.StatusCreated, Example: []string{mem, "1"}, Body: `{"reason": "Given by mistake"}`,
		}),

		// Balances by hand
		route("POST", "/v1/adjustments", "adjustments:write", (*Server).adjust, About{
			Tag: hand, Summary: "Change a balance by hand", Status: http.StatusCreated, Also: again,
			Text: "More or less by `amount`, or just so much by `to`. The reason is required and the member can read it.",
			Body: `{"member": "ext:4711", "unit": "star", "amount": "25", "reason": "Waited too long"}`,
		}),
		route("POST", "/v1/adjustments/{id}/reverse", "adjustments:write", (*Server).reverseAdjustment, About{
			Tag: hand, Summary: "Undo an adjustment", Status: http.StatusCreated, Also: again, Example: []string{"adj_01k9zjq3hfe1f8m6v7j0q3x5c4"},
			Text: "Takes back what it gave, or gives back what it took, once. With `force` also where the points are spent: what is missing becomes debt.",
			Body: `{"reason": "Wrong member"}`,
		}),
		route("POST", "/v1/transfers", "transfers:write", (*Server).transfer, About{
			Tag: hand, Summary: "Move points between members", Status: http.StatusCreated, Also: again,
			Text: "Where the program allows it, within its limits. The points keep their ends.",
			Body: `{"from": "ext:4711", "to": "ext:4712", "unit": "star", "amount": "10", "message": "For your coffee"}`,
		}),
		route("POST", "/v1/transfers/{id}/reverse", "transfers:write", (*Server).reverseTransfer, About{
			Tag: hand, Summary: "Undo a transfer", Status: http.StatusCreated, Example: []string{"trf_01k9zjq3hfe1f8m6v7j0q3x5c4"},
			Text: "Moves the points back, once. With `force` also where they are spent: what is missing becomes debt of the one who received them.",
			Body: `{"reason": "Wrong friend"}`,
		}),
		route("POST", "/v1/facts/{fact}/release", "adjustments:write", (*Server).release, About{
			Tag: hand, Summary: "Release pending points of a fact", Status: http.StatusCreated, Example: []string{fct},
		}),
		route("POST", "/v1/facts/{fact}/cancel-pending", "adjustments:write", (*Server).cancelPending, About{
			Tag: hand, Summary: "Cancel pending points of a fact", Status: http.StatusCreated, Example: []string{fct}, Body: `{"reason": "Flight not flown"}`,
		}),

		// Sharing
		route("POST", "/v1/members/{member}/shares", "benefits:write", (*Server).passOn, About{
			Tag: sharing, Summary: "Pass something on to a friend", Status: http.StatusCreated, Also: again, Example: []string{mem},
			Text: "Makes a code for what the program lets members pass on, within its limits. The code is in this answer and nowhere else: it is what the friend claims it with, once.",
			Body: `{"share": "friend20"}`,
		}),
		route("GET", "/v1/members/{member}/shares", "benefits:read", (*Server).listPassed, About{
			Tag: sharing, Summary: "List what a member passed on and nobody has claimed", Example: []string{mem},
		}),
		route("POST", "/v1/shares/claim", "benefits:write", (*Server).claimShare, About{
			Tag: sharing, Summary: "Claim what a friend passed on", Status: http.StatusCreated, Also: again,
			Text: "The member has it as a grant a moment later, with a source that says what it is (`share:ID`). Looking codes up is throttled. 403 share_refused says in `why` when the member cannot have it: self, same_person, known, taken, household, gone, blocked; 409 share_claimed when somebody has claimed it.",
			Body: `{"code": "7KXQ-2M9D-4VWT-R80HE", "member": "ext:4712"}`,
		}),
		route("POST", "/v1/shares/{share}/void", "benefits:write", (*Server).voidShare, About{
			Tag: sharing, Summary: "Call off what a member passed on", Status: http.StatusCreated, Example: []string{shr},
		}),

		// Recognition
		route("POST", "/v1/recognitions", "transfers:write", (*Server).recognize, About{
			Tag: recognition, Summary: "Thank another member", Status: http.StatusCreated, Also: again,
			Text: "Out of the giver's allowance, within the program's limits. What arrives is another unit, a moment later, or once staff has approved it. 403 recognition_refused says in `why` when it cannot be: same_person, gone, blocked, household.",
			Body: `{"from": "ext:4711", "to": "ext:4712", "amount": "10", "value": "helped", "message": "You stayed until it worked"}`,
		}),
		route("GET", "/v1/recognitions", "members:read", (*Server).recognitionFeed, About{
			Tag: recognition, Summary: "List all recognition", Text: "The newest first, also what waits for approval (`status=waiting`). For staff: what a member may see is at the member.",
		}),
		route("GET", "/v1/recognitions/{recognition}", "members:read", (*Server).getRecognition, About{
			Tag: recognition, Summary: "Get a recognition", Example: []string{rec},
		}),
		route("POST", "/v1/recognitions/{recognition}/approve", "adjustments:write", (*Server).approveRecognition, About{
			Tag: recognition, Summary: "Approve a recognition that waits", Status: http.StatusCreated, Example: []string{rec},
		}),
		route("POST", "/v1/recognitions/{recognition}/decline", "adjustments:write", (*Server).declineRecognition, About{
			Tag: recognition, Summary: "Decline a recognition that waits", Status: http.StatusCreated, Example: []string{rec}, Body: `{"reason": "Given for one's own project"}`,
			Text: "The allowance goes back to where it came from; what has ended meanwhile is gone.",
		}),
		route("POST", "/v1/recognitions/{recognition}/undo", "transfers:write", (*Server).undoRecognition, About{
			Tag: recognition, Summary: "Take a recognition back", Status: http.StatusCreated, Example: []string{rec},
			Text: "By who gave it: while it waits, or within the time that the program gives (`undo`). What the other one has spent of it already is owed.",
		}),
		route("GET", "/v1/members/{member}/recognitions", "members:read", (*Server).memberRecognitions, About{
			Tag: recognition, Summary: "List the recognition that a member may see", Example: []string{mem},
			Text: "What the member gave and was given, or, where the program shows it to everybody (`feed: all`), what all gave. The newest first.",
		}),

		// Referral
		route("GET", "/v1/members/{member}/referral", "members:read", (*Server).getReferral, About{
			Tag: referral, Summary: "Get whom a member brought", Example: []string{mem},
			Text: "The code that the member hands to friends, who brought the member and what came of it, and whom the member brought.",
		}),
		route("POST", "/v1/members/{member}/referral", "members:write", (*Server).makeCode, About{
			Tag: referral, Summary: "Make a member's invitation", Status: http.StatusCreated, Example: []string{mem},
			Text: "Gives the code with which friends say who invited them (`invited_by`), the same each time. It is an identifier of kind `referral`.",
		}),
		route("POST", "/v1/members/{member}/invitation", "members:write", (*Server).invite, About{
			Tag: referral, Summary: "Say afterwards who invited a member", Status: http.StatusCreated, Example: []string{mem},
			Text: "For a member who enrolled without saying so and has bought nothing yet, where the program allows it (`late`). What does not count is 409 referral_refused with the reason why: self, same_person, known, circular, gone.",
			Body: `{"invited_by": "ext:4712"}`,
		}),
		// Partners
		route("GET", "/v1/partners", "partners:read", (*Server).listPartners, About{Tag: partners, Summary: "List partners", Text: "With what is agreed with each. A partner's key sees itself alone."}),
		route("GET", "/v1/partners/{partner}", "partners:read", (*Server).getPartner, About{Tag: partners, Summary: "Get a partner", Example: []string{"hotel"}}),
		route("GET", "/v1/partners/{partner}/members/{member}", "partners:read", (*Server).partnerMember, About{
			Tag: partners, Summary: "Ask what a member may have at a partner", Example: []string{"hotel", mem},
			Text: "What the member can pay with here now, and which of the partner's benefits the member's tiers bring. Nothing else of the member is told.",
		}),
		route("POST", "/v1/partners/{partner}/awards", "awards:write", (*Server).partnerAward, About{
			Tag: partners, Summary: "Give a member points", Status: http.StatusCreated, Also: again, Example: []string{"hotel"},
			Text: "The partner is billed for them by its price, or, where it pays ahead, it must have paid for them: else 409 credit_too_low. The same `external_id` counts once.",
			Body: `{"member": "ext:4711", "unit": "star", "amount": "40", "external_id": "stay-1881", "reason": "Two nights"}`,
		}),
		route("POST", "/v1/partners/{partner}/payments", "awards:write", (*Server).partnerAccept, About{
			Tag: partners, Summary: "Take points as payment", Status: http.StatusCreated, Also: again, Example: []string{"hotel"},
			Text: "A member pays with points at the partner, which is owed for them by its price. The same `external_id` counts once.",
			Body: `{"member": "ext:4711", "unit": "star", "amount": "10", "external_id": "bar-17"}`,
		}),
		route("POST", "/v1/partners/{partner}/undo", "awards:write", (*Server).partnerUndo, About{
			Tag: partners, Summary: "Take back what was done at a partner", Status: http.StatusCreated, Example: []string{"hotel"},
			Text: "Whole and once. What was awarded and is spent already becomes a debt of the member; what was paid with comes back to the lots it left.",
			Body: `{"fact": "bar-17", "reason": "Paid by card after all"}`,
		}),
		route("POST", "/v1/partners/{partner}/settlements", "partners:write", (*Server).payPartner, About{
			Tag: partners, Summary: "Note a payment of a partner", Status: http.StatusCreated, Example: []string{"hotel"},
			Text: "What the partner paid, ahead or after a statement; below zero for what was paid to it. The same `reference` counts once.",
			Body: `{"reference": "bank-2026-0147", "amount": "500.00", "paid_at": "2026-11-20T12:00:00+01:00"}`,
		}),
		route("GET", "/v1/partners/{partner}/statements/{month}", "partners:read", (*Server).getStatement, About{
			Tag: partners, Summary: "Get a statement", Example: []string{"hotel", "2026-11"},
			Text: "What was recorded in a month, by sort, unit and price and by day; what was carried over and paid, and what is due. It adds up to the postings with the partner's account. A month that is over does not change: what comes late is billed in the month in which it is recorded.",
		}),
		raw[statementIn, string]("GET", "/v1/partners/{partner}/statements/{month}/pdf", "partners:read", (*Server).statementPDF, About{
			Tag: partners, Summary: "Get a statement as PDF", Example: []string{"hotel", "2026-11"}, Media: "application/pdf",
		}),
		raw[statementIn, string]("GET", "/v1/partners/{partner}/statements/{month}/csv", "partners:read", (*Server).statementCSV, About{
			Tag: partners, Summary: "Get a statement as CSV", Text: "A row for each award, payment and undoing.", Example: []string{"hotel", "2026-11"}, Media: "text/csv",
		}),
		// Facts
		route("GET", "/v1/facts/{fact}", "members:read", (*Server).getFact, About{
			Tag: facts, Summary: "Get a fact", Text: "Any fact by its id, or as SOURCE:EXTERNAL_ID, with what was sent and what was decided.", Example: []string{fct},
		}),
		route("GET", "/v1/facts/{fact}/explanation", "members:read", (*Server).explainFact, About{
			Tag: facts, Summary: "Explain a fact", Example: []string{fct}, Query: "lang=nb",
			Text: "For each rule considered whether it fired, and if not why; the arithmetic step by step; what else happened. As data and as sentences in nb, sv, da or en, for staff or for the member (`?audience=member`).",
		}),

		// Many at once
		route("POST", "/v1/simulations", "simulations:write", (*Server).simulate, About{
			Tag: many, Summary: "Ask what would happen", Batch: true,
			Text: "One or many facts, in order, at any business time, past or future, by the published versions or by a draft. The answer is that of the real call, with the explanation, and nothing is kept.",
			Body: `{"facts": [{"purchase": {"member": "ext:4711", "amount": "250.00", "occurred_at": "2026-12-24T10:00:00+01:00"}}]}`,
		}),
		route("POST", "/v1/batches", AnyScope, (*Server).batch, About{
			Tag: many, Summary: "Record many facts", Batch: true,
			Text: "Up to 1,000 facts, recorded in order, each on its own: the answer says what came of each, and how many were recorded, were there already, or failed. Each fact wants the scope that its own route wants. A batch that broke off can be sent again under the same Idempotency-Key: what was recorded stays so.",
			Body: `{"facts": [{"purchase": {"member": "ext:4711", "source": "till-1", "external_id": "R-1003", "amount": "99.00"}}, {"activity": {"member": "ext:4711", "kind": "own_cup"}}]}`,
		}),

		// Program
		route("GET", "/v1/program", "programs:read", (*Server).getProgram, About{Tag: prog, Summary: "Get the program in force"}),
		route("GET", "/v1/program/versions", "programs:read", (*Server).listVersions, About{Tag: prog, Summary: "List versions", Text: "The newest first, without their documents."}),
		route("GET", "/v1/program/versions/{version}", "programs:read", (*Server).getVersion, About{Tag: prog, Summary: "Get a version with its document", Example: []string{"1"}}),
		route("POST", "/v1/program/versions", "programs:write", (*Server).publish, About{
			Tag: prog, Summary: "Publish a version", Status: http.StatusCreated, Batch: true,
			Text: "Decides what happens from a business time on. Published versions never change. Every mistake in the document is named with a pointer.",
			Body: exampleDocument,
		}),
		route("GET", "/v1/program/draft", "programs:read", (*Server).getDraft, About{
			Tag: prog, Summary: "Get the draft", Text: "The text that is being worked on, one for each program. Where there is none it is the version in force, as YAML, with revision 0.",
		}),
		route("PUT", "/v1/program/draft", "programs:write", (*Server).putDraft, About{
			Tag: prog, Summary: "Keep the draft", Text: "It may have mistakes: check says which. Publishing is a step of its own, and leaves the draft as it is.", Problems: []int{http.StatusPreconditionFailed},
			Body: `{"source": "program: kaffebaren\n# stars for coffee\nname: Coffee Stars\n", "revision": 0}`,
		}),
		route("DELETE", "/v1/program/draft", "programs:write", (*Server).dropDraft, About{Tag: prog, Summary: "Throw the draft away", Text: "What is published stays. The answer is what a new draft begins with."}),
		route("POST", "/v1/program/rollback", "programs:write", (*Server).rollback, About{
			Tag: prog, Summary: "Bring an earlier version back", Text: "Publishes its document again, as a new version.", Status: http.StatusCreated, Body: `{"version": 1}`,
		}),
		route("POST", "/v1/program/check", "programs:read", (*Server).checkProgram, About{
			Tag: prog, Summary: "Check a document", Text: "Says every mistake at once, where it is and what to do. Nothing is kept.", Batch: true, Body: exampleDocument,
		}),
		route("POST", "/v1/program/settings", "programs:read", (*Server).setProgram, About{
			Tag: prog, Summary: "Change values of a document", Batch: true,
			Text: "Lists the single values of a document's text, and gives the text with some of them changed: comments, order and spaces stay. Whether the values make sense, check says. Nothing is kept.",
			Body: `{"source": "program: kaffebaren\nunits:\n  star: {worth: 0.50} # each\n", "set": {"/units/star/worth": "0.75"}}`,
		}),
		route("POST", "/v1/program/lint", "programs:read", (*Server).lintProgram, About{
			Tag: prog, Summary: "Look a document over", Text: "What is unwise though it is right: unclear, unfair, diluted or leaky, each with the reason and a mend, in nb, sv, da or en. Nothing is kept.",
			Batch: true, Body: `{}`, Query: "lang=nb",
		}),
		route("GET", "/v1/program/terms", "programs:read", (*Server).programTerms, About{
			Tag: prog, Summary: "Tell the program in plain words", Text: "The version in force as its members may read it, in nb, sv, da or en: what gives points, what they are good for, when they end, tiers, returns.",
			Query: "lang=sv",
		}),
		raw[posterIn, string]("GET", "/v1/program/poster", "programs:read", (*Server).joinPoster, About{
			Tag: prog, Summary: "Get a poster to join by", Query: "lang=nb", Media: "application/pdf", Problems: []int{http.StatusConflict},
			Text: "One A4 page to hang up in the shop: the program's name in its colour, with its picture, what one gets, and a QR code that opens the page to join.",
		}),
		route("POST", "/v1/program/diff", "programs:read", (*Server).diffPrograms, About{
			Tag: prog, Summary: "Say what changes between two documents", Text: "In words a marketer reads. What is left out is the version in force.", Batch: true,
			Body: `{"from_version": 1}`,
		}),

		// Insight
		route("GET", "/v1/insight/today", "programs:read", (*Server).today, About{
			Tag: "Insight", Summary: "See how the program goes", Query: "period=28d",
			Text: "Members, purchases, points, redemptions and what is owed, in a period up to today and in the one before it, by days or weeks, with what needs attention. What each figure means is told in docs/insight.md. The figures are those of the books at the moment of asking.",
		}),

		// Events
		route("GET", "/v1/events", "events:read", (*Server).listEvents, About{
			Tag: "Events", Summary: "Read the feed of events",
			Text:  "Every event of the program in the order in which it was committed, from the beginning or after a cursor; none is ever passed over. `?wait=` holds the answer back until something comes.",
			Query: "type=points.earned,tier.up&wait=10",
		}),

		route("GET", "/v1/events/newest", "events:read", (*Server).newestEvents, About{
			Tag: "Events", Summary: "Look at the newest events", Query: "type=points.*",
			Text: "The newest first, for people to look at: one that is committed late may come to stand above one that was seen. Whoever must miss none reads the feed.",
		}),

		// Webhooks
		route("POST", "/v1/webhooks", "webhooks:write", (*Server).createWebhook, About{
			Tag: hooks, Summary: "Make a webhook", Status: http.StatusCreated,
			Text: "From now on every event of the types is sent to the address, signed by Standard Webhooks. The secret is in this answer and nowhere else: not even a repetition under the same Idempotency-Key shows it again. How to receive is told in docs/webhooks.md.",
			Body: `{"url": "https://shop.example.com/lojal", "description": "The web shop", "types": ["points.*", "tier.up"]}`,
		}),
		route("GET", "/v1/webhooks", "webhooks:read", (*Server).listWebhooks, About{Tag: hooks, Summary: "List webhooks"}),
		route("GET", "/v1/webhooks/{webhook}", "webhooks:read", (*Server).getWebhook, About{Tag: hooks, Summary: "Get a webhook", Example: []string{whk}}),
		route("PATCH", "/v1/webhooks/{webhook}", "webhooks:write", (*Server).patchWebhook, About{
			Tag: hooks, Summary: "Change a webhook", Example: []string{whk}, Merge: true, Problems: []int{http.StatusPreconditionFailed},
			Text: "What is left out stays. With If-Match it changes only what was read. Messages that were made before stay as they are.",
			Body: `{"types": ["points.*"], "concurrency": 4}`,
		}),
		route("DELETE", "/v1/webhooks/{webhook}", "webhooks:write", (*Server).removeWebhook, About{
			Tag: hooks, Summary: "Remove a webhook", Example: []string{whk}, Text: "Nothing is sent any more, and its deliveries are deleted.",
		}),
		route("POST", "/v1/webhooks/{webhook}/test", "webhooks:write", (*Server).testWebhook, About{
			Tag: hooks, Summary: "Send a test event", Status: http.StatusCreated, Example: []string{whk}, Text: "Sends webhook.test. The delivery says what came of it, in a moment.",
		}),
		route("POST", "/v1/webhooks/{webhook}/rotate", "webhooks:write", (*Server).rotateWebhook, About{
			Tag: hooks, Summary: "Make a new secret", Example: []string{whk}, Body: `{"overlap_seconds": 86400}`,
			Text: "Messages are signed with both secrets during the overlap, so that the receiver can be changed over without losing one. The new secret is in this answer and nowhere else.",
		}),
		route("POST", "/v1/webhooks/{webhook}/disable", "webhooks:write", (*Server).disableWebhook, About{
			Tag: hooks, Summary: "Disable a webhook", Example: []string{whk}, Text: "Nothing is sent until it is enabled. What happens meanwhile waits.",
		}),
		route("POST", "/v1/webhooks/{webhook}/enable", "webhooks:write", (*Server).enableWebhook, About{
			Tag: hooks, Summary: "Enable a webhook", Example: []string{whk}, Body: `{"skip_missed": false}`, Text: "Goes on where it stopped, or from now on.",
		}),
		route("GET", "/v1/webhooks/{webhook}/deliveries", "webhooks:read", (*Server).listDeliveries, About{
			Tag: hooks, Summary: "List deliveries", Example: []string{whk}, Query: "status=dead",
			Text: "Those of the newest events first, with the last attempts. What was delivered is kept for a week, what is dead for thirty days.",
		}),
		route("GET", "/v1/webhooks/{webhook}/deliveries/{event}", "webhooks:read", (*Server).getDelivery, About{
			Tag: hooks, Summary: "Get a delivery", Example: []string{whk, evt}, Text: "With the message that is sent.",
		}),
		route("POST", "/v1/webhooks/{webhook}/deliveries/{event}/replay", "webhooks:write", (*Server).replayDelivery, About{
			Tag: hooks, Summary: "Send one delivery again", Example: []string{whk, evt}, Text: "It has the same id and body, and all its attempts again.",
		}),
		route("POST", "/v1/webhooks/{webhook}/replay", "webhooks:write", (*Server).replayWebhook, About{
			Tag: hooks, Summary: "Send many events again", Example: []string{whk}, Body: `{"since": "2026-11-21T00:00:00+01:00"}`,
			Text: "All events that were recorded since a time, also those from before the webhook was there; or all that are dead. The ids stay the same.",
		}),

		// Imports
		raw[newImportIn, Import]("POST", "/v1/imports", "imports:write", (*Server).createImport, About{
			Tag: imports, Summary: "Upload a file to import", Status: http.StatusCreated, Query: "dry_run=true",
			Text: "Takes members, purchases or activities from a file of rows, as lojal import does: the mapping says which column is what (docs/import.md). With `?draft=true` the file comes alone, and waits for its mapping. The answer comes when all is uploaded; then a server imports it, and another goes on when that one dies. Nothing counts twice, however often a file is sent. The same files again, while they wait or run, are answered with the import that is there. All parts together have at most 64 MiB, and each unpacked too.",
			Also: []Also{{http.StatusOK, "The same files wait or run already: this is their import."}},
			Parts: []Part{
				{importer.MappingPart, "The mapping of columns to fields, YAML; not with a draft.", exampleMapping, true},
				{importer.FilePart, "The file of rows: CSV, columns by blanks or of fixed widths; gzip too. Further files that the mapping looks into are parts of the names that it gives them.", exampleRows, true},
			},
		}),
		route("GET", "/v1/imports", "imports:read", (*Server).listImports, About{Tag: imports, Summary: "List imports", Text: "The newest first, also those of the command line."}),
		route("GET", "/v1/imports/{import}", "imports:read", (*Server).getImport, About{Tag: imports, Summary: "Get an import", Text: "With how far it is, and the first hundred refused rows.", Example: []string{imp}}),
		raw[importIn, string]("GET", "/v1/imports/{import}/refused", "imports:read", (*Server).refusedRows, About{
			Tag: imports, Summary: "Get the refused rows", Example: []string{imp}, Media: "text/csv",
			Text: "As they were, with their numbers and the reasons in front: mend them, and import them again. They are kept for thirty days.",
		}),
		route("GET", "/v1/imports/{import}/file", "imports:read", (*Server).getImportFile, About{
			Tag: imports, Summary: "Look into an uploaded file", Example: []string{imp}, Query: "kind=purchases", Problems: []int{http.StatusConflict},
			Text: "The columns and first rows of a draft, or of what was tried in the last day, with a mapping that is guessed from the names of the columns and from what stands in them.",
		}),
		route("POST", "/v1/imports/{import}/start", "imports:write", (*Server).startImport, About{
			Tag: imports, Summary: "Start an import that was uploaded", Example: []string{imp}, Body: `{"dry_run": false}`, Problems: []int{http.StatusConflict},
			Text: "Begins a draft, or what was tried, with a mapping; without one it goes by that of the last try. A dry run can be followed by another, and by the import itself, as long as the file is kept: a day.",
		}),
		route("POST", "/v1/imports/{import}/cancel", "imports:write", (*Server).cancelImport, About{
			Tag: imports, Summary: "Call an import off", Text: "What is recorded stays. One that is over stays as it is.", Example: []string{imp},
		}),

		// Keys and audit
		route("GET", "/v1/me", AnyScope, (*Server).me, About{Tag: keys, Summary: "See what the key may do"}),
		route("GET", "/v1/keys", "admin", (*Server).listKeys, About{Tag: keys, Summary: "List API keys"}),
		route("POST", "/v1/keys", "admin", (*Server).createKey, About{
			Tag: keys, Summary: "Make an API key", Status: http.StatusCreated,
			Text: "The secret is in this answer and nowhere else: not even a repetition under the same Idempotency-Key shows it again.",
			Body: `{"name": "Till 1", "scopes": ["members:read", "purchases:write", "redemptions:write"]}`,
		}),
		route("GET", "/v1/keys/{key}", "admin", (*Server).getKey, About{Tag: keys, Summary: "Get an API key", Example: []string{"key_01k9zjq3hfe1f8m6v7j0q3x5c4"}}),
		route("POST", "/v1/keys/{key}/revoke", "admin", (*Server).revokeKey, About{Tag: keys, Summary: "Revoke an API key", Text: "It opens nothing from this moment on.", Example: []string{"key_01k9zjq3hfe1f8m6v7j0q3x5c4"}}),
		route("POST", "/v1/keys/{key}/rotate", "admin", (*Server).rotateKey, About{
			Tag: keys, Summary: "Replace an API key", Status: http.StatusCreated, Example: []string{"key_01k9zjq3hfe1f8m6v7j0q3x5c4"},
			Text: "Makes a successor with the same name and scopes; the old key goes on working for the overlap.",
			Body: `{"overlap_seconds": 86400}`,
		}),
		route("GET", "/v1/audit", "audit:read", (*Server).listAudit, About{Tag: keys, Summary: "List changes", Text: "Who changed programs, keys and profiles, the newest first. Facts say themselves who recorded them."}),

		// Staff
		route("GET", "/v1/staff", "admin", (*Server).listStaff, About{Tag: people, Summary: "List staff", Text: "Who runs the program, the widest role first."}),
		route("POST", "/v1/staff", "admin", (*Server).addStaff, About{
			Tag: people, Summary: "Add somebody to the staff", Status: http.StatusCreated, Body: `{"email": "kari@example.no", "name": "Kari Nordmann", "role": "store"}`,
			Text: "The invitation is in this answer and nowhere else; send the person the address of the console with it. Who runs another program here already signs in as before, and gets none.",
		}),
		route("GET", "/v1/staff/{staff}", "admin", (*Server).getStaff, About{Tag: people, Summary: "Get somebody of the staff", Example: []string{stf}}),
		route("POST", "/v1/staff/{staff}/role", "admin", (*Server).setStaffRole, About{
			Tag: people, Summary: "Change a role", Example: []string{stf}, Body: `{"role": "marketer"}`, Text: "It holds from the next page on. A program keeps at least one owner.",
		}),
		route("POST", "/v1/staff/{staff}/invite", "admin", (*Server).inviteStaff, About{
			Tag: people, Summary: "Invite again", Example: []string{stf}, Text: "For who lost the invitation, or the password: the earlier one ends, the new one is in this answer alone.",
		}),
		route("DELETE", "/v1/staff/{staff}", "admin", (*Server).removeStaff, About{
			Tag: people, Summary: "Take somebody off the staff", Example: []string{stf}, Text: "Sessions end at once. What the person did stays in the books and the audit log.",
		}),

		// Health
		route("GET", "/healthz", Open, (*Server).health, About{
			Tag: "Health", Summary: "Ask whether the process lives", Text: "200 as long as the process answers, whatever the state of the database: for a supervisor that starts it anew.",
		}),
		route("GET", "/readyz", Open, (*Server).ready, About{
			Tag: "Health", Summary: "Ask whether requests are served",
			Text: "For a load balancer. 503 when the database does not answer, when it is of an older version than the program, and when the program is about to stop. A database that takes no writes still serves what is asked: see writing.",
		}),
	}
}

const exampleDocument = `{"document": {"program": "kaffebaren", "name": {"nb": "Kaffestjerner", "en": "Coffee Stars"}, "time_zone": "Europe/Oslo", "currency": "NOK", "units": {"star": {"name": {"nb": {"one": "stjerne", "other": "stjerner"}, "en": {"one": "star", "other": "stars"}}, "worth": "0.50", "expires": {"after": "12 months", "at": "end of month"}}}, "earn": [{"id": "base", "on": "purchase", "give": {"unit": "star", "amount": 1, "per": "10.00"}}]}}`

const (
	exampleMapping = "import: purchases\nsource: till\nmember: {column: card, as: ext, enrol: true}\npurchase: {receipt: receipt, at: at}\nline: {amount: amount}\n"
	exampleRows    = "receipt,card,at,amount\nR-1,4711,2026-11-01T10:00:00+01:00,129.00\nR-2,4711,2026-11-02T10:00:00+01:00,-5.00\n"
)
