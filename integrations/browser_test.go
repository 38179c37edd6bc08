package integrations_test

import (
	"bufio"
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

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

var announced = regexp.MustCompile(`http://(\w+)\.localhost:\d+`)

// polls builds the example and runs it. It returns the address of each tenant, as the program prints it.
func polls(t *testing.T) map[string]string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "polls")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", "..", "-o", program, "./example/polls")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	run := exec.CommandContext(t.Context(), program, "-addr", "127.0.0.1:0")
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
	sites := map[string]string{}
	for lines := bufio.NewScanner(stdout); lines.Scan() && !strings.HasPrefix(lines.Text(), "try "); {
		if found := announced.FindStringSubmatch(lines.Text()); found != nil {
			sites[found[1]] = found[0]
		}
	}
	if len(sites) != 2 {
		t.Fatalf("the example announced %v", sites)
	}
	return sites
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

// TestBrowser votes in a poll of thor as a visitor does, and looks at potter's poll of the same id before and after.
func TestBrowser(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	sites := polls(t)
	thor, potter := sites["thor"], sites["potter"]

	before := text(ctx, t, "potter-before", chromedp.Navigate(potter+"/polls/1/results"))
	wantShown(t, before, "potter.localhost", "Which pet is best at school?", "An owl")
	wantShown(t, text(ctx, t, "thor-list", chromedp.Navigate(thor)), "thor.localhost", "Who may lift the hammer next?")
	wantShown(t, text(ctx, t, "thor-poll", chromedp.Click(`a[href="/polls/1"]`), chromedp.WaitVisible("form")), "Jane", "Steve", "Nobody")
	voted := text(ctx, t, "thor-voted", chromedp.Click(`input[value="2"]`), chromedp.Click("form button"), chromedp.WaitVisible("dl"))
	wantShown(t, voted, "Who may lift the hammer next?", "1 of 1")
	wantShown(t, text(ctx, t, "thor-again", chromedp.Navigate(thor+"/polls/1")), "You have voted")

	if after := text(ctx, t, "potter-after", chromedp.Navigate(potter+"/polls/1/results")); after != before {
		t.Errorf("potter's poll was\n%s\nand is\n%s", before, after)
	}
	wantShown(t, text(ctx, t, "potter-poll", chromedp.Navigate(potter+"/polls/1")), "Which pet is best at school?", "Pick one")
	wantShown(t, text(ctx, t, "front", chromedp.Navigate(strings.Replace(thor, "thor.", "", 1))), "Thor's hall", "Potter's common room")
}
