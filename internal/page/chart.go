package page

import (
	"strconv"
)

// Chart is a picture of numbers by days or weeks: bars on a common scale, made on the server. A table beside it says the same.
type Chart struct {
	// Text says what the picture shows, for who does not see it.
	Text string
	// Labels stand below the bars, as many as there are bars; few of them are written.
	Labels []string
	// Series have as many values as there are labels; those of one label stand beside one another.
	Series []Series
	// Write writes a value, Tick one of the scale, where that is shorter.
	Write, Tick func(int64) string
}

// Series is a row of values.
type Series struct {
	Name   string
	Values []int64
}

// The measures of a chart, in units of its own: on a phone one is about a pixel.
const (
	chartWidth, chartHeight            = 360, 190
	chartLeft, chartTop, chartBaseline = 58, 12, 160
	chartTicks                         = 4
)

type (
	bar       struct{ x, y, width, height, class, text string }
	tick      struct{ y, at, text string }
	underline struct{ x, anchor, text string }
)

// step is the distance between ticks: 1, 2 or 5 times a power of ten, so that at most so many fit.
func step(most int64) int64 {
	for power := int64(1); ; power *= 10 {
		for _, n := range []int64{1, 2, 5} {
			if n*power*chartTicks >= most || n*power > most/2 && power > 1<<58 {
				return n * power
			}
		}
	}
}

// top is the highest tick, and the distance between two.
func (c Chart) top() (top, by int64) {
	most := int64(1)
	for _, s := range c.Series {
		for _, v := range s.Values {
			most = max(most, v)
		}
	}
	by = step(most)
	return (most + by - 1) / by * by, by
}

func at(f float64) string { return strconv.FormatFloat(f, 'f', 1, 64) }

func (c Chart) ticks() (out []tick) {
	top, by := c.top()
	for v := int64(0); v <= top; v += by {
		y := chartBaseline - float64(v)/float64(top)*(chartBaseline-chartTop)
		out = append(out, tick{at(y), at(y + 4), c.Tick(v)})
	}
	return out
}

func (c Chart) bars() (out []bar) {
	top, _ := c.top()
	if len(c.Labels) == 0 || len(c.Series) == 0 {
		return nil
	}
	room := float64(chartWidth-chartLeft-4) / float64(len(c.Labels))
	wide := room * 0.76 / float64(len(c.Series))
	for i, s := range c.Series {
		for j, v := range s.Values {
			high := float64(max(v, 0)) / float64(top) * (chartBaseline - chartTop)
			if high == 0 {
				continue
			}
			text := c.Labels[j] + ": " + c.Write(v)
			if len(c.Series) > 1 {
				text = s.Name + ", " + text
			}
			out = append(out, bar{at(chartLeft + room*float64(j) + room*0.12 + wide*float64(i)), at(chartBaseline - high), at(wide), at(high), "bar-" + strconv.Itoa(i+1), text})
		}
	}
	return out
}

// under are the labels that are written: the first, the last and one between.
func (c Chart) under() (out []underline) {
	n := len(c.Labels)
	room := float64(chartWidth-chartLeft-4) / float64(max(n, 1))
	put := func(i int, x float64, anchor string) { out = append(out, underline{at(x), anchor, c.Labels[i]}) }
	if n > 0 {
		put(0, chartLeft, "start")
	}
	if n > 4 {
		put(n/2, chartLeft+room*(float64(n/2)+0.5), "middle")
	}
	if n > 1 {
		put(n-1, chartWidth-4, "end")
	}
	return out
}
