package containers_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gorm-tenancy/tenancy/catalog"
	"github.com/gorm-tenancy/tenancy/example/polls/containers"
)

// standIn is in place of the docker command: it writes down what it is asked and answers as docker does when nginx runs. There
// is no daemon behind it: that what is asked does what it should is Docker's word, not this test's.
const standIn = `#!/bin/sh
echo "$*" >>"$0.log"
version() { sed -n 's/.*return 200 "\([0-9a-f]*\).*/\1/p' nginx/nginx.conf; }
case "$*" in
"compose ps --quiet nginx") cat "$0.nginx" 2>/dev/null ;;
"compose up --detach --wait --no-deps nginx") echo c0ffee >"$0.nginx" ;;
"compose exec"*) version ;;
inspect*) echo '{"polls_public":{},"polls_thor_front":{}}' ;;
"ps --all"*) echo potter-web potter-db ;;
"network ls"*) echo potter-front ;;
"volume ls"*) echo polls_potter_data ;;
esac
exit 0
`

// TestDocker shows in which order docker is asked for what.
func TestDocker(t *testing.T) {
	bin, dir := t.TempDir(), t.TempDir()
	docker := filepath.Join(bin, "docker")
	if err := os.WriteFile(docker, []byte(standIn), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	apply := func(o containers.ApplyOptions, tenants ...catalog.Tenant) string {
		topology, err := containers.New(tenants, containers.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(docker+".log", nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err = containers.Open(dir).Apply(t.Context(), topology, containers.Docker{Dir: dir, Project: "polls"}, o); err != nil {
			t.Fatal(err)
		}
		log, err := os.ReadFile(docker + ".log")
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(log)), "\n")
		return strings.Join(slices.Compact(lines), "\n") // nginx is asked for its version several times
	}
	const (
		ask    = "compose exec -T nginx wget -q -O - http://127.0.0.1:8081/\n"
		test   = "compose run --rm --no-deps -T nginx -t -c /etc/nginx/polls/nginx.conf.next\ncompose ps --quiet nginx\n"
		filter = " --filter label=com.docker.compose.project=polls --filter label=polls.tenant=potter\n"
	)
	first := apply(containers.ApplyOptions{}, tenant("thor"))
	if want := "compose up --detach --wait thor_web\ncompose ps --quiet nginx\n" + test +
		"compose up --detach --wait --no-deps nginx\n" + ask; first+"\n" != want {
		t.Errorf("at first\n%s\nwant\n%s", first, want)
	}
	second := apply(containers.ApplyOptions{}, tenant("thor"), tenant("potter"))
	if want := "compose up --detach --wait potter_web\ncompose ps --quiet nginx\n" +
		"inspect --format {{json .NetworkSettings.Networks}} c0ffee\nnetwork connect polls_potter_front c0ffee\n" + test +
		"kill --signal HUP c0ffee\n" + ask; second+"\n" != want {
		t.Errorf("a new tenant\n%s\nwant\n%s", second, want)
	}
	third := apply(containers.ApplyOptions{RemoveData: true}, tenant("thor"))
	if want := test + "kill --signal HUP c0ffee\n" + ask +
		"ps --all --quiet" + filter + "stop potter-web potter-db\nrm potter-web potter-db\n" +
		"network ls --quiet" + filter + "compose ps --quiet nginx\nnetwork disconnect --force potter-front c0ffee\n" +
		"network rm potter-front\nvolume ls --quiet" + filter + "volume rm polls_potter_data\n"; third+"\n" != want {
		t.Errorf("without it\n%s\nwant\n%s", third, want)
	}
}
