package web

import "testing"

func TestACellIsNoFormula(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "Kari": "Kari", "-5.00": "-5.00", "+47 910 00 777": "+47 910 00 777", "-": "-", "=1+1": "'=1+1", `=HYPERLINK("http://x")`: `'=HYPERLINK("http://x")`,
		"+cmd|' /C calc'!A0": "'+cmd|' /C calc'!A0", "-2+SUM(A1)": "'-2+SUM(A1)", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1", "'quoted": "'quoted",
	} {
		got := Cell(text)
		if got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
		if back := Uncell(got); back != text {
			t.Errorf("%q comes back as %q", text, back)
		}
	}
}
