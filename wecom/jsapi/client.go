package jsapi

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// App is the app that shows a page.
type App string

// The apps.
const (
	WeCom  App = "wecom"
	WeChat App = "wechat"
	Other  App = "other" // an ordinary browser: the SDK registers nothing there
)

// Platform is what the app runs on.
type Platform string

// The platforms; "" is one that is none of these.
const (
	IOS     Platform = "ios"
	Android Platform = "android"
	Windows Platform = "windows"
	Mac     Platform = "mac"
)

// A Client is what shows a page.
type Client struct {
	App      App
	Platform Platform
	Version  string // the app's; "" if it does not say
}

var (
	wecomUA   = regexp.MustCompile(`(?i)wxwork/([\d.]+)`)
	wechatUA  = regexp.MustCompile(`(?i)micromessenger(?:/([\d.]+))?`)
	iosUA     = regexp.MustCompile(`\b(iPhone|iPad|iPod)\b`)
	androidUA = regexp.MustCompile(`(?i)\bAndroid\b`)
)

// ClientOf reads a user agent as the SDK does: WeCom's names WeChat as well, and
// comes first.
func ClientOf(userAgent string) Client {
	c := Client{App: Other}
	if m := wecomUA.FindStringSubmatch(userAgent); m != nil {
		c.App, c.Version = WeCom, m[1]
	} else if m := wechatUA.FindStringSubmatch(userAgent); m != nil {
		c.App, c.Version = WeChat, m[1]
	}
	switch {
	case iosUA.MatchString(userAgent):
		c.Platform = IOS
	case androidUA.MatchString(userAgent):
		c.Platform = Android
	case strings.Contains(userAgent, "Windows"):
		c.Platform = Windows
	case strings.Contains(userAgent, "Macintosh"):
		c.Platform = Mac
	}
	return c
}

// Before reports whether a version is earlier than another; a missing segment
// counts as 0, as to the SDK.
func Before(version, other string) bool {
	a, b := strings.Split(version, "."), strings.Split(other, ".")
	for i := range max(len(a), len(b)) {
		if x, y := segment(a, i), segment(b, i); x != y {
			return x < y
		}
	}
	return false
}

func segment(version []string, i int) int {
	if i >= len(version) {
		return 0
	}
	n, err := strconv.Atoi(version[i])
	if err != nil {
		return 0
	}
	return n
}

// Fit tells how an API and a client go together.
type Fit int

// The fits.
const (
	Runs          Fit = iota // by all that the notes say
	WrongApp                 // it runs in another app
	WrongPlatform            // it runs on other platforms of this app
	TooOld                   // it runs in later versions
)

// In tells whether the API runs in a client, and else what it needs there.
func (a API) In(c Client) (Fit, Support) {
	if len(a.Clients) == 0 || c.App == Other {
		return Runs, Support{}
	}
	fit, best := WrongApp, a.Clients[0]
	for _, s := range a.Clients {
		if s.App != c.App {
			continue
		}
		switch {
		case s.Platforms != nil && c.Platform != "" && !slices.Contains(s.Platforms, c.Platform):
			if fit == WrongApp {
				fit, best = WrongPlatform, s
			}
		case s.Since != "" && c.Version != "" && Before(c.Version, s.Since):
			fit, best = TooOld, s
		default:
			return Runs, s
		}
	}
	return fit, best
}
