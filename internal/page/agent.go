package page

import "strings"

// Browser names a browser and its system by what it says of itself, roughly.
func Browser(agent, unknown string) string {
	name, on := "", ""
	for _, b := range [][2]string{{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}, {"curl/", "curl"}} {
		if strings.Contains(agent, b[0]) {
			name = b[1]
			break
		}
	}
	for _, s := range [][2]string{{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Windows", "Windows"}, {"Mac OS", "Mac"}, {"Linux", "Linux"}} {
		if strings.Contains(agent, s[0]) {
			on = s[1]
			break
		}
	}
	switch {
	case name == "":
		return unknown
	case on == "":
		return name
	}
	return name + " · " + on
}
