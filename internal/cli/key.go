package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"lojal.dev/lojal/internal/db"
	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/key"
	"lojal.dev/lojal/internal/version"
)

func scopesText() string { return strings.Join(key.Scopes, ", ") }

type keyCmd struct {
	Create keyCreateCmd `cmd:"" help:"Make a key and print its secret, once."`
	List   keyListCmd   `cmd:"" help:"List the keys."`
	Revoke keyRevokeCmd `cmd:"" help:"End a key now."`
	Rotate keyRotateCmd `cmd:"" help:"Make a successor of a key, and let the old one go on for a while."`
}

type keyCreateCmd struct {
	jsonFlag
	Name    string        `arg:"" help:"Name, shown as who did what the key does: the till, the shop."`
	Scope   []string      `placeholder:"SCOPE" help:"What the key may do; all when left out. Any of: ${scopes}."`
	Expires time.Duration `placeholder:"DURATION" help:"Life of the key, such as 720h; for good when left out."`
	Partner string        `placeholder:"ID" help:"Make it a partner's key, which opens only what is this partner's: awards:write and partners:read when no scope is given."`
	Test    bool          `help:"Make a key that begins with lj_test_."`
	inProgram
}

func (keyCreateCmd) Help() string {
	return `The secret is stored as a hash and shown this once. With --json it is the field "secret".

Examples:

    lojal key create till-1 --scope members:read,purchases:write,redemptions:write --expires 8760h
    lojal key create admin --expires 720h
    lojal key create "Harbour Hotel" --partner hotel`
}

func (c *keyCreateCmd) Run(e *env) error { return c.on(e, c.run) }

func (c *keyCreateCmd) run(e *env, d *db.DB, id string) (err error) {
	in := key.New{Program: id, Name: c.Name, Scopes: c.Scope, Partner: c.Partner, Test: c.Test, Now: e.now()}
	switch {
	case len(in.Scopes) == 0 && c.Partner != "":
		in.Scopes = key.PartnerScopes
	case len(in.Scopes) == 0:
		in.Scopes = []string{key.Admin}
	}
	if c.Expires != 0 {
		at := in.Now.Add(c.Expires)
		in.ExpiresAt = &at
	}
	var k key.Key
	var secret string
	err = d.Write(e.ctx, func(tx *db.Tx) error {
		if err := knownPartner(e, tx, id, c.Partner, in.Now); err != nil {
			return err
		}
		var err error
		if k, secret, err = key.Create(e.ctx, tx, in); err != nil {
			return err
		}
		return note(e, tx, id, "key.created", k.ID, in.Now)
	})
	if err != nil {
		return err
	}
	return e.secret(c.JSON, k, secret)
}

// secret shows a new key: the secret on the standard output, what to know of it on the error output.
func (e *env) secret(asJSON bool, k key.Key, secret string) error {
	if asJSON {
		return e.json(struct {
			key.Key
			Secret string `json:"secret"`
		}{k, secret})
	}
	fmt.Fprintf(e.Err, "Key %s (%s) of %s, for %s. This is its secret, shown only now:\n", k.Name, k.ID, k.Program, strings.Join(k.Scopes, ", "))
	e.printf("%s\n", secret)
	return nil
}

type keyListCmd struct {
	jsonFlag
	inProgram
}

func (keyListCmd) Help() string {
	return `Examples:

    lojal key list`
}

func (c *keyListCmd) Run(e *env) error { return c.on(e, c.run) }

func (c *keyListCmd) run(e *env, d *db.DB, id string) (err error) {
	var list []key.Key
	err = d.Read(e.ctx, func(tx *db.Tx) (err error) {
		list, err = key.List(e.ctx, tx, id)
		return err
	})
	if err != nil {
		return err
	}
	if c.JSON {
		if list == nil {
			list = []key.Key{}
		}
		return e.json(list)
	}
	if len(list) == 0 {
		e.printf("There is no key yet: `lojal key create NAME` makes one.\n")
	}
	now := e.now()
	for _, k := range list {
		e.printf("%s  %-16s %s…  %-8s %s\n", k.ID, k.Name, k.Prefix, keyState(k, now), strings.Join(k.Scopes, " "))
	}
	return nil
}

func keyState(k key.Key, now time.Time) string {
	switch {
	case k.RevokedAt != nil && !k.RevokedAt.After(now):
		return "revoked"
	case k.ExpiresAt != nil && !k.ExpiresAt.After(now):
		return "expired"
	}
	return "active"
}

// find gives the id of a key from an id or a name that just one active key has.
func (e *env) findKey(d *db.DB, program, ref string) (string, error) {
	if strings.HasPrefix(ref, key.IDPrefix+"_") {
		return ref, nil
	}
	var list []key.Key
	err := d.Read(e.ctx, func(tx *db.Tx) (err error) {
		list, err = key.List(e.ctx, tx, program)
		return err
	})
	if err != nil {
		return "", err
	}
	now := e.now()
	list = slices.DeleteFunc(list, func(k key.Key) bool { return k.Name != ref || keyState(k, now) != "active" })
	switch len(list) {
	case 0:
		return "", errs.NotFound("key_not_found", fmt.Sprintf("There is no active key named %q: `lojal key list` shows them.", ref))
	case 1:
		return list[0].ID, nil
	}
	return "", errs.Malformed("which_key", fmt.Sprintf("Several active keys are named %q: give the id, which `lojal key list` shows.", ref))
}

type keyRevokeCmd struct {
	jsonFlag
	Key string `arg:"" help:"Id or name of the key."`
	inProgram
}

func (keyRevokeCmd) Help() string {
	return `Examples:

    lojal key revoke till-1`
}

func (c *keyRevokeCmd) Run(e *env) error { return c.on(e, c.run) }

func (c *keyRevokeCmd) run(e *env, d *db.DB, id string) (err error) {
	ref, err := e.findKey(d, id, c.Key)
	if err != nil {
		return err
	}
	now := e.now()
	var k key.Key
	err = d.Write(e.ctx, func(tx *db.Tx) error {
		var err error
		if k, err = key.Revoke(e.ctx, tx, id, ref, now); err != nil {
			return err
		}
		return note(e, tx, id, "key.revoked", k.ID, now)
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return e.json(k)
	}
	e.printf("The key %s (%s) opens nothing any more.\n", k.Name, k.ID)
	return nil
}

type keyRotateCmd struct {
	jsonFlag
	Key     string        `arg:"" help:"Id or name of the key."`
	Overlap time.Duration `default:"24h" placeholder:"DURATION" help:"How long the old key goes on working, ${default} when left out; 0s ends it at once."`
	inProgram
}

func (keyRotateCmd) Help() string {
	return `Examples:

    lojal key rotate till-1 --overlap 48h`
}

func (c *keyRotateCmd) Run(e *env) error { return c.on(e, c.run) }

func (c *keyRotateCmd) run(e *env, d *db.DB, id string) (err error) {
	ref, err := e.findKey(d, id, c.Key)
	if err != nil {
		return err
	}
	now := e.now()
	var k key.Key
	var secret string
	err = d.Write(e.ctx, func(tx *db.Tx) error {
		var err error
		if k, secret, err = key.Rotate(e.ctx, tx, id, ref, c.Overlap, now); err != nil {
			return err
		}
		return note(e, tx, id, "key.rotated", k.ID, now)
	})
	if err != nil {
		return err
	}
	return e.secret(c.JSON, k, secret)
}

// knownPartner sees that the program in force has the partner that a key is made for.
func knownPartner(e *env, tx *db.Tx, program, partner string, now time.Time) error {
	if partner == "" {
		return nil
	}
	set, err := version.Load(e.ctx, tx, program)
	if err != nil {
		return err
	}
	p := set.At(now)
	if p == nil {
		p = set.Latest()
	}
	if p.Partners[partner] == nil {
		return errs.Invalid("unknown_partner", "The program has no partner "+partner+".")
	}
	return nil
}
