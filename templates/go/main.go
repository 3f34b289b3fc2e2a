// plain-http: is plain HTTP sent on to HTTPS? One job line in, messages out; the standard library only.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// What this plugin reads of the job line. All else is ignored, as the protocol wants.
type job struct {
	Targets []struct {
		Host string `json:"host"`
	} `json:"targets"`
	Options struct {
		Port int `json:"port"`
	} `json:"options"`
	HTTP struct {
		UserAgent string `json:"user_agent"`
		Proxy     string `json:"proxy"`
	} `json:"http"`
	DeadlineS float64 `json:"deadline_s"`
}

type message map[string]any

var protocol = json.NewEncoder(os.Stdout) // a message a line, and nothing else: log writes to stderr

func say(m message) {
	if err := protocol.Encode(m); err != nil {
		log.Fatal(err)
	}
}

func fail(kind, text string) {
	say(message{"type": "done", "status": "error", "error": message{"kind": kind, "message": text}})
}

// answer is the status and the Location of what answers at page. http.headers may be secrets, and
// this goes in clear: they are not sent.
func answer(page string, j job) (status int, location string, err error) {
	transport := &http.Transport{DisableKeepAlives: true}
	if j.HTTP.Proxy != "" {
		proxy, err := url.Parse(j.HTTP.Proxy)
		if err != nil {
			return 0, "", err
		}
		transport.Proxy = http.ProxyURL(proxy)
	}
	client := http.Client{
		Transport: transport,
		Timeout:   time.Duration(math.Min(5, j.DeadlineS/2) * float64(time.Second)),
		// A redirect may lead out of the scan's scope: it is looked at, never followed.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	request, err := http.NewRequest(http.MethodGet, page, nil)
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("User-Agent", j.HTTP.UserAgent)
	response, err := client.Do(request)
	if err != nil {
		return 0, "", errors.Unwrap(err) // a *url.Error repeats the URL
	}
	defer response.Body.Close() // the body is not needed
	return response.StatusCode, response.Header.Get("Location"), nil
}

func main() {
	var j job
	if err := json.NewDecoder(os.Stdin).Decode(&j); err != nil {
		log.Fatal("the job line: ", err) // exit code 1 and stderr: kastrun shows both
	}
	// JoinHostPort puts brackets around an IPv6 address.
	page := "http://" + net.JoinHostPort(j.Targets[0].Host, strconv.Itoa(j.Options.Port)) + "/"
	status, location, err := answer(page, j)
	if err != nil {
		fail("target", fmt.Sprintf("%s does not answer: %v", page, err))
		return
	}

	redirects := status >= 300 && status < 400 && location != ""
	seen := fmt.Sprintf("HTTP %d", status)
	if redirects {
		seen += " to " + location
	}
	if !redirects || !strings.HasPrefix(strings.ToLower(location), "https://") {
		say(message{
			"type":        "finding",
			"rule":        "http.no-redirect",
			"title":       "Plain HTTP is not sent on to HTTPS",
			"severity":    "medium",
			"location":    message{"url": page},
			"evidence":    seen,
			"remediation": "Answer every plain request with a redirect to the https:// address.",
			"refs":        []string{"CWE-319"},
		})
	}
	say(message{"type": "done", "status": "ok", "message": seen})
}
