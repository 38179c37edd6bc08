package integrations_test

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

var screenshots = flag.String("screenshots", "", "keep a picture of every page in this `directory`")

// browser starts Chromium with an empty profile.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); path == "" && err == nil {
			path = found
		}
	}
	if path == "" && os.Getenv("TENANCY_REQUIRE_ALL") != "" {
		t.Fatal("chromium is missing")
	}
	if path == "" {
		t.Skip("chromium is missing; make test installs it")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()),
		chromedp.WindowSize(800, 600), chromedp.WSURLReadTimeout(time.Minute), chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("no-proxy-server", true))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

var (
	announced  = regexp.MustCompile(`http://(\w+)\.localhost:\d+$`)
	operatorOf = regexp.MustCompile(`(http://localhost:\d+)/operator/ as (\w+) with the password (\w+)$`)
	adminOf    = regexp.MustCompile(`http://(\w+)\.localhost:\d+/admin/ as (\w+) with the password (\w+)$`)
)

// running is the example as its tenants' visitors see it: by tenant, its address, and the name and password of its superuser.
type running struct {
	sites  map[string]string
	admins map[string][2]string
	// bare is the address that no tenant has, and operator the name and password of who operates there.
	bare     string
	operator [2]string
}

func buildExample(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "polls")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", "..", "-o", program, "./example/polls")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// startExample runs the example with the arguments. What it returns is what the program prints.
func startExample(t *testing.T, program string, args ...string) running {
	t.Helper()
	run := exec.CommandContext(t.Context(), program, append(args, "--addr", "127.0.0.1:0")...)
	run.Cancel = func() error { return run.Process.Signal(os.Interrupt) }
	run.Stderr = t.Output()
	stdout, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = run.Process.Signal(os.Interrupt)
		_ = run.Wait()
	})
	r := running{sites: map[string]string{}, admins: map[string][2]string{}}
	for lines := bufio.NewScanner(stdout); lines.Scan() && !strings.HasPrefix(lines.Text(), "try "); {
		if found := announced.FindStringSubmatch(lines.Text()); found != nil {
			r.sites[found[1]] = found[0]
		}
		if found := operatorOf.FindStringSubmatch(lines.Text()); found != nil {
			r.bare, r.operator = found[1], [2]string{found[2], found[3]}
		}
		if found := adminOf.FindStringSubmatch(lines.Text()); found != nil {
			r.admins[found[1]] = [2]string{found[2], found[3]}
		}
	}
	if len(r.sites) != 2 || len(r.admins) != 2 {
		t.Fatalf("the example announced %v", r)
	}
	return r
}

// text takes the steps and returns what the page then shows.
func text(ctx context.Context, t *testing.T, picture string, steps ...chromedp.Action[chromedp.Void]) string {
	t.Helper()
	for _, step := range append(steps, chromedp.WaitReady("main")) {
		if _, err := chromedp.Run(ctx, step); err != nil {
			t.Fatalf("%s: %v", picture, err)
		}
	}
	shown, err := chromedp.Run(ctx, chromedp.Text("body"))
	if err != nil {
		t.Fatalf("%s: %v", picture, err)
	}
	if *screenshots != "" {
		image, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*screenshots, picture+".png"), image, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return shown
}

func wantShown(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			t.Errorf("no %q on the page:\n%s", text, page)
		}
	}
}

// signs fills the form of signing up or in, and sends it.
func signs(name, password string) []chromedp.Action[chromedp.Void] {
	return []chromedp.Action[chromedp.Void]{
		chromedp.SetValue("#username", name), chromedp.SetValue("#password", password), chromedp.Click("main form button"),
		chromedp.WaitVisible(`form[action="/signout/"]`),
	}
}

// steal gives the browser the cookie it has for one site at another, which no browser would do by itself.
func steal(ctx context.Context, t *testing.T, from, to string) {
	t.Helper()
	_, err := chromedp.Run(ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		found, err := cdp.Call(ctx, target, network.GetCookies, network.GetCookiesParams{URLs: []string{from}})
		if err != nil {
			return err
		}
		if len(found.Cookies) != 1 {
			return fmt.Errorf("%d cookies", len(found.Cookies))
		}
		_, err = cdp.Call(ctx, target, network.SetCookie, network.SetCookieParams{
			Name: found.Cookies[0].Name, Value: found.Cookies[0].Value, URL: to,
		})
		return err
	}))
	if err != nil {
		t.Fatal(err)
	}
}

// TestBrowser does what visitors of two tenants do: signs up at thor, makes a poll, votes and looks, and then takes thor's
// cookie to potter, where nobody knows it.
func TestBrowser(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	example := startExample(t, buildExample(t))
	thor, potter := example.sites["thor"], example.sites["potter"]

	wantShown(t, text(ctx, t, "front", chromedp.Navigate(strings.Replace(thor, "thor.", "", 1))), "Thor's hall", "Potter's common room")
	wantShown(t, text(ctx, t, "thor-welcome", chromedp.Navigate(thor)), "thor.localhost", "Sign in", "Sign up")
	signUp := append([]chromedp.Action[chromedp.Void]{chromedp.Navigate(thor + "/signup/")}, signs("sif", "sword and shield")...)
	wantShown(t, text(ctx, t, "thor-list", signUp...), "Sign out sif", "Who may lift the hammer next?")

	wantShown(t, text(ctx, t, "thor-new", chromedp.Click(`a[href="/polls/new/"]`), chromedp.WaitVisible("#choices")), "One on each line")
	made := text(ctx, t, "thor-poll", chromedp.SetValue("#question", "Is the bridge mended?"), chromedp.SetValue("#choices", "Yes\nNo\nAsk Heimdall"),
		chromedp.Click("main form button"), chromedp.WaitVisible("fieldset"))
	wantShown(t, made, "Is the bridge mended?", "Pick one", "Ask Heimdall")
	voted := text(ctx, t, "thor-results", chromedp.Click(`input[value="8"]`), chromedp.Click("main form button"), chromedp.WaitVisible("dl"))
	wantShown(t, voted, "Is the bridge mended?", "100 %", "1 of 1")
	wantShown(t, text(ctx, t, "thor-again", chromedp.Navigate(thor+"/polls/3/")), "You have voted")

	// The browser itself sends no cookie of one host to another.
	wantShown(t, text(ctx, t, "potter-welcome", chromedp.Navigate(potter)), "potter.localhost", "Sign up")
	steal(ctx, t, thor, potter)
	for _, path := range []string{"/polls/", "/polls/1/", "/polls/3/", "/admin/"} {
		refused := text(ctx, t, "potter-refused", chromedp.Navigate(potter+path))
		wantShown(t, refused, "Sign in", "Password")
		if strings.Contains(refused, "sif") || strings.Contains(refused, "bridge") {
			t.Errorf("thor shows at potter:\n%s", refused)
		}
	}
	wantShown(t, text(ctx, t, "thor-still", chromedp.Navigate(thor)), "Sign out sif", "Is the bridge mended?")

	admin := example.admins["potter"]
	signIn := append([]chromedp.Action[chromedp.Void]{chromedp.Navigate(potter + "/signin/?next=/admin/polls/")}, signs(admin[0], admin[1])...)
	list := text(ctx, t, "potter-admin", signIn...)
	wantShown(t, list, "Which pet is best at school?", "2 polls")
	if strings.Contains(list, "bridge") {
		t.Errorf("thor shows in potter's admin:\n%s", list)
	}
	wantShown(t, text(ctx, t, "potter-edit", chromedp.Navigate(potter+"/admin/polls/1/"), chromedp.WaitVisible("#created_by")), "Published", "Save")
}
