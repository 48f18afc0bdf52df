package console

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"mime"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"lojal.dev/lojal/internal/errs"
	"lojal.dev/lojal/internal/page"
	"lojal.dev/lojal/internal/web"
)

// A device at a till goes on while it has no connection: what is recorded is kept on it, in the order in which it happened, and sent when the
// connection is back. Each has a key from the start, under which it counts once however often it is sent. What is kept was recorded by somebody: it is
// sent in nobody else's name, unless that one takes it over on the device.

// tillScripts are the assets of the till's pages.
var tillScripts = []string{"till.js"}

// atATill gives a page what pages of the till have.
func (v *visit) atATill() {
	v.scripts, v.manifest = tillScripts, "/console/till/app.webmanifest"
}

// asksData says that a script asks, which wants no page even of a failure.
func (v *visit) asksData() bool {
	return v.r.URL.Path == "/console/till/now" || v.r.URL.Path == "/console/till/send"
}

// data answers a script.
func (v *visit) data(status int, body any) error {
	text, err := web.Marshal(body)
	if err != nil {
		return err //nolint:wrapcheck // it says what was written
	}
	v.done = true
	v.w.Header().Set("Content-Type", "application/json")
	v.w.WriteHeader(status)
	_, _ = v.w.Write(text) // the client may be gone
	return nil
}

// refusal is why something was not recorded.
type refusal struct {
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"`
	Text    string `json:"text"`
	// Wrong are the mistakes by the names of the fields.
	Wrong map[string]string `json:"wrong,omitempty"`
}

// failData tells a failure to a script.
func (v *visit) failData(e *errs.Error) {
	status := web.StatusOf(e)
	out := refusal{Outcome: "failed", Reason: e.Reason, Text: e.Message}
	if status >= http.StatusInternalServerError {
		web.Failed(v.r.Context(), e)
		v.c.Logger.ErrorContext(v.r.Context(), "till", "error", e, "request_id", web.RequestID(v.r.Context()))
		out.Text = v.T("wrong.text")
	}
	if wait, ok := e.Meta["retry_after"]; ok {
		if s, ok := wait.(string); ok {
			v.w.Header().Set("Retry-After", s)
		} else if n, ok := wait.(int); ok {
			v.w.Header().Set("Retry-After", strconv.Itoa(n))
		}
	}
	if err := v.data(status, out); err != nil {
		http.Error(v.w, e.Message, status)
	}
}

// whoIsHere says who is signed in, and what the time is: the clock of a device may be wrong.
func (c *Console) whoIsHere(v *visit) error {
	return v.data(http.StatusOK, map[string]any{"staff": v.session.Staff, "name": v.session.Name, "program": v.session.Program, "at": v.now.UnixMilli()})
}

// keptItem is something that a device kept.
type keptItem struct {
	// Kind is purchase, enrolment or stamp; Key is its own.
	Kind string `json:"kind"`
	Key  string `json:"key"`
	// Staff and Program are who recorded it, and where.
	Staff   string `json:"staff"`
	Program string `json:"program"`
	// At is when it happened.
	At time.Time `json:"at"`
	// Form is what was filled in.
	Form map[string][]string `json:"form"`
}

var itemKey = regexp.MustCompile(`^[0-9A-Z]{16,40}$`)

// sendKept records something that a device kept. What is refused is an answer like another, 200: the device shows it and goes on with the next.
// Everything else says that it is to be sent again later, or by somebody else.
func (c *Console) sendKept(v *visit) error {
	if kind, _, err := mime.ParseMediaType(v.r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return errs.Malformed("media_type", v.T("form_unreadable"))
	}
	var item keptItem
	if err := json.NewDecoder(v.r.Body).Decode(&item); err != nil {
		return errs.Malformed("form", v.T("form_unreadable")).Because(err)
	}
	switch {
	case !itemKey.MatchString(item.Key):
		return errs.Malformed("key", v.T("form_unreadable"))
	case item.Program != v.session.Program:
		return errs.Conflict("other_program", v.T("till.other_program"))
	case item.Staff != v.session.Staff:
		return errs.Conflict("other_staff", v.T("till.other_staff"))
	case item.Kind == "enrolment" && !v.may("members:write"), item.Kind == "stamp" && !v.may("activities:write"):
		return errs.Forbidden("role", v.T("not_yours"))
	}
	f := page.NewForm()
	f.Values = item.Form
	if f.Values == nil {
		f.Values = map[string][]string{}
	}
	k, err := v.record(item.Kind, item.Key, item.At, f)
	if err == nil {
		return v.data(http.StatusOK, map[string]any{"outcome": "recorded", "duplicate": k.Duplicate, "text": k.Text, "member": k.Member, "fact": k.Fact, "to": k.page(k.saying(item.Kind))})
	}
	e := errs.As(err)
	switch e.Code {
	case errs.CodeInvalid, errs.CodeMalformed, errs.CodeConflict, errs.CodeInsufficient, errs.CodeForbidden, errs.CodeNotFound:
	default:
		return err
	}
	if item.Kind == "enrolment" && e.Code == errs.CodeConflict {
		if there, err := v.alreadyThere(f); err != nil {
			return err
		} else if there != nil {
			return v.data(http.StatusOK, refusal{Outcome: "refused", Reason: e.Reason, Text: v.T("till.enrol.there", there.Name())})
		}
	}
	if err := v.refuse(f, err); err != nil {
		return err
	}
	out := refusal{Outcome: "refused", Reason: e.Reason, Text: f.All, Wrong: f.Wrong}
	if e.Reason == errWrong.Reason || len(f.Wrong) > 0 && e.Code == errs.CodeInvalid {
		var all []string
		for _, name := range []string{"member", "amount", "phone", "card", "given_name", "receipt"} {
			if f.Wrong[name] != "" {
				all = append(all, f.Wrong[name])
			}
		}
		if len(all) > 0 {
			out.Text = strings.Join(all, " ")
		}
	}
	return v.data(http.StatusOK, out)
}

// offline is the shell: the page that a device keeps for when there is no connection. It holds nothing of any member.
func (c *Console) offline(v *visit) error {
	v.atATill()
	return v.show(offlinePage(v))
}

// shell lists what a device keeps, and says which edition of it that is: another as soon as anything in it has changed.
func (v *visit) shell() (list []string, edition string) {
	list = []string{"/console/till/offline", page.Asset("style.css"), page.Asset("page.js"), page.Asset("till.js"), path.Dir(page.Asset("till.js")) + "/queue.js", page.Asset("vendor/icons.svg"), page.Asset("icon.svg")}
	sum := sha256.New()
	for _, s := range append(list, page.Asset("queue.js"), v.lang, v.theme, v.session.Program) {
		sum.Write([]byte(s + "\n"))
	}
	if v.p != nil {
		sum.Write([]byte(strconv.FormatInt(v.p.Version, 10)))
	}
	return list, hex.EncodeToString(sum.Sum(nil)[:8])
}

// worker is the service worker: what it keeps stands in it, so that the browser takes the new one whenever that changes.
func (c *Console) worker(v *visit) error {
	list, edition := v.shell()
	names, err := web.Marshal(list)
	if err != nil {
		return err //nolint:wrapcheck // it says what was written
	}
	v.done = true
	h := v.w.Header()
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	h.Set("Service-Worker-Allowed", "/console/till")
	_, _ = v.w.Write([]byte("self.edition = \"lojal-till-" + edition + "\";\nself.shell = " + string(names) + ";\nimportScripts(\"" + page.Asset("worker.js") + "\");\n")) // the client may be gone
	return nil
}

// appManifest lets the till be put on a home screen. It is asked for without a session.
func (c *Console) appManifest(v *visit) error {
	text, err := web.Marshal(map[string]any{
		"id": "/console/till", "name": v.T("till.app"), "short_name": v.T("till"), "lang": v.lang, "start_url": "/console/till", "scope": "/console/", "display": "standalone",
		"background_color": "#f7f6f3", "theme_color": "#1d6b52",
		"icons": []map[string]string{
			{"src": page.Asset("icon.svg"), "sizes": "any", "type": "image/svg+xml"}, {"src": page.Asset("icon-512.png"), "sizes": "512x512", "type": "image/png"},
			{"src": page.Asset("icon-512.png"), "sizes": "512x512", "type": "image/png", "purpose": "maskable"},
		},
	})
	if err != nil {
		return err //nolint:wrapcheck // it says what was written
	}
	v.done = true
	v.w.Header().Set("Content-Type", "application/manifest+json")
	v.w.Header().Set("Cache-Control", "public, max-age=3600")
	_, _ = v.w.Write(text) // the client may be gone
	return nil
}

// tillWords are the texts of the page's script, by the ends of their keys.
func (v *visit) tillWords() map[string]string {
	out := map[string]string{}
	for _, key := range []string{
		"offline", "waits_one", "waits_many", "refused_one", "refused_many", "kept", "signed_out", "sign_in", "state_waiting", "state_sent", "state_refused", "state_other", "drop", "drop_sure",
		"again", "take", "kind_purchase", "kind_enrolment", "kind_stamp", "by", "tries", "no_camera", "camera_denied", "needs_line", "before", "full", "todo",
	} {
		out[key] = v.T("till.js." + key)
	}
	for name, key := range map[string]string{"member": "till.whose", "phone": "phone", "card": "till.card", "given_name": "given_name", "amount": "amount", "receipt": "purchase.receipt"} {
		out["field_"+name] = v.T(key)
	}
	return out
}

func (v *visit) tillWordsText() (string, error) {
	text, err := web.Marshal(v.tillWords())
	return string(text), err //nolint:wrapcheck // it says what was written
}
