package web

import "strings"

// figures are what stands in numbers and phone numbers: a spreadsheet does no harm with them.
const figures = "+-0123456789.,() \u00a0"

// Cell puts an apostrophe before a cell of a CSV file for people that a spreadsheet would take for a formula: whoever named a member or filled in
// a file may have written one for who opens it.
func Cell(text string) string {
	if text == "" || !strings.ContainsRune("=+-@\t\r", rune(text[0])) || strings.Trim(text, figures) == "" {
		return text
	}
	return "'" + text
}

// Uncell takes the mark of [Cell] away again.
func Uncell(text string) string {
	if rest, marked := strings.CutPrefix(text, "'"); marked && Cell(rest) == text {
		return rest
	}
	return text
}

// Cells marks a row.
func Cells(row []string) []string {
	out := make([]string, len(row))
	for i, c := range row {
		out[i] = Cell(c)
	}
	return out
}
