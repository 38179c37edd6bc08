package integrations_test

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/gorm-tenancy/tenancy/internal/servers"
)

type step = chromedp.Action[chromedp.Void]

// TestBrowserLaunch does what a visitor does who wants a site, in every strategy: starts one, signs in as its first user, makes
// a poll, votes and looks; then takes the cookie to thor, where a poll of the same id is not shown. An operator then sees the
// site and stops it.
func TestBrowserLaunch(t *testing.T) {
	t.Parallel()
	program := buildExample(t)
	for name, args := range map[string]func(*testing.T) []string{
		"shared":   func(*testing.T) []string { return nil },
		"database": func(*testing.T) []string { return []string{"--strategy", "database"} },
		"hybrid":   func(*testing.T) []string { return []string{"--strategy", "hybrid"} },
		"schema": func(t *testing.T) []string {
			server := servers.Postgres(t)
			return []string{"--strategy", "schema", "--demo", "--dsn", server.DSN(servers.App, server.Database(t))}
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, example := browser(t), startExample(t, program, args(t)...)
			tenant := "loki-" + name // browsers keep cookies for a host, whatever the port
			site, thor := strings.Replace(example.bare, "localhost", tenant+".localhost", 1), example.sites["thor"]

			wantShown(t, text(ctx, t, name+"-start", chromedp.Navigate(example.bare), chromedp.Click(`main a[href="/start/"]`),
				chromedp.WaitVisible("#tenant")), "Address", "Start")
			refused := text(ctx, t, name+"-taken", launch("thor", name)...)
			wantShown(t, refused, "This address is taken.")
			wantShown(t, text(ctx, t, name+"-served", append(launch(tenant, name), chromedp.WaitVisible("#done"))...), "Sign in as sif")
			wantShown(t, text(ctx, t, name+"-list", append([]step{chromedp.Click("main .button"), chromedp.WaitVisible("#username")},
				signs("sif", "sword and shield")...)...), "Sign out sif", "There are no polls yet.", "Admin")

			text(ctx, t, name+"-poll", chromedp.Navigate(site+"/polls/new/"), chromedp.SetValue("#question", "Who let the goats out?"),
				chromedp.SetValue("#choices", "Loki\nThe goats"), chromedp.Click("main form button"), chromedp.WaitVisible("fieldset"))
			wantShown(t, text(ctx, t, name+"-results", chromedp.Click(`input[value="1"]`), chromedp.Click("main form button"),
				chromedp.WaitVisible("dl")), "Who let the goats out?", "1 of 1")

			steal(ctx, t, site, thor)
			for _, path := range []string{"/polls/1/", "/polls/", "/admin/users/"} {
				page := text(ctx, t, name+"-refused", chromedp.Navigate(thor+path))
				wantShown(t, page, "Sign in", "Password")
				if strings.Contains(page, "sif") || strings.Contains(page, "goats") {
					t.Errorf("%s shows at thor:\n%s", tenant, page)
				}
			}
			operate(ctx, t, name, example, tenant, site)
		})
	}
}

// launch fills the form of a new site, and sends it.
func launch(tenant, strategy string) []step {
	steps := []step{
		chromedp.SetValue("#tenant", tenant), chromedp.SetValue("#name", "Loki's corner"), chromedp.SetValue("#username", "sif"),
		chromedp.SetValue("#password", "sword and shield"),
	}
	if strategy == "hybrid" {
		steps = append(steps, chromedp.Click(`input[value="database"]`))
	}
	return append(steps, chromedp.Click("main form button"), chromedp.WaitVisible("#done, #wrong, [role=status]"))
}

// operate signs an operator in, who stops the new site by the keyboard's only means, a link and a button.
func operate(ctx context.Context, t *testing.T, name string, example running, tenant, site string) {
	t.Helper()
	list := text(ctx, t, name+"-operator", chromedp.Navigate(example.bare+"/operator/"), chromedp.SetValue("#username", example.operator[0]),
		chromedp.SetValue("#password", example.operator[1]), chromedp.Click("main form button"), chromedp.WaitVisible("div.scroll"))
	wantShown(t, list, "thor", "potter", tenant, "active", "at head", "1 user, 1 poll, 1 vote")
	wantShown(t, text(ctx, t, name+"-suspended", chromedp.Click(`form[action="/operator/tenants/`+tenant+`/suspend/"] button`),
		chromedp.WaitVisible("dl.facts")), "suspended")
	if _, err := chromedp.Run(ctx, chromedp.Navigate(site)); err != nil {
		t.Fatal(err)
	}
	shown, err := chromedp.Run(ctx, chromedp.Text("body"))
	if err != nil || strings.Contains(shown, "goats") || strings.Contains(shown, "Sign in") {
		t.Errorf("a suspended site shows %q, %v", shown, err)
	}
}
